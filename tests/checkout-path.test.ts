import { afterAll, describe, expect, test } from "bun:test";
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync } from "node:fs";
import { decodeText, utf8 } from "../src/bytes.ts";
import { pathProblem, SafeTree } from "../src/checkout-path.ts";
import { TempDir } from "./temp-dir.ts";

const folder = new TempDir("path");
afterAll(() => folder.remove());
let count = 0;
const newTree = () => new SafeTree(folder.folder(`t${count++}/in`));

const GOOD = [
  "a",
  "a/b.c",
  "..a",
  "a..",
  "a/...",
  "a b/ü",
  "con",
  "a:b",
  "x/.fslckout2",
  ".fossil-settings/x",
];
const BAD = [
  "",
  "/a",
  ".",
  "..",
  "../a",
  "a/../b",
  "a/..",
  "a//b",
  "a/",
  "./a",
  "a/.",
  "C:/a",
  "c:\\a",
  ".fslckout",
  "_FOSSIL_",
  "x/_fossil_-wal",
  "a\0b",
];
const WINDOWS_BAD = ["con", "x/NUL.txt", "com1", "a:b", "a\\b", "a?", "a.", "a /b", "lpt9.x.y", "a\u0001"];
const WINDOWS_GOOD = ["console", "x/null", "com", "a.b", "lpt10"];

describe("names", () => {
  test.each(GOOD)("%j may be written", (name) => {
    expect(pathProblem(name, "linux")).toBeUndefined();
  });
  test.each(BAD)("%j may not", (name) => {
    for (const platform of ["linux", "win32"]) expect(pathProblem(name, platform)).toBeString();
    const tree = newTree();
    expect(() => tree.write(name, utf8("x"), "")).toThrow(expect.objectContaining({ code: "unsafe-path" }));
    expect(() => tree.locate(name)).toThrow(expect.objectContaining({ code: "unsafe-path" }));
    expect(readdirSync(tree.root)).toEqual([]);
  });
  test("devices and letters of Windows", () => {
    for (const name of WINDOWS_BAD)
      expect([name, pathProblem(name, "win32")]).toEqual([name, expect.any(String)]);
    for (const name of WINDOWS_GOOD) expect([name, pathProblem(name, "win32")]).toEqual([name, undefined]);
  });
});

describe("writing", () => {
  test("files, executables, links, folders", () => {
    const tree = newTree();
    tree.write("a/b/c", utf8("one"), "");
    tree.write("a/b/run", utf8("two"), "x");
    tree.write("a/to", utf8("b/c"), "l");
    const at = (name: string) => `${tree.root}/${name}`;
    expect(readFileSync(at("a/to"), "utf8")).toBe("one");
    expect(lstatSync(at("a/b/c")).mode & 0o111).toBe(0);
    expect(lstatSync(at("a/b/run")).mode & 0o100).toBe(0o100);
    expect(tree.stat("a/to")?.isSymbolicLink()).toBe(true);
    expect(tree.stat("a/none/x")).toBeUndefined();
    tree.write("a/b/run", utf8("three"), "");
    expect(lstatSync(at("a/b/run")).mode & 0o111).toBe(0);
    expect(() => tree.write("a/b", utf8(""), "")).toThrow(
      expect.objectContaining({ code: "path-is-folder" }),
    );
  });

  test("a root that is not there yet is made", () => {
    const tree = new SafeTree(folder.join("new/root"));
    mkdirSync(folder.join("new"));
    tree.write("x/y", utf8("z"), "");
    expect(readFileSync(folder.join("new/root/x/y"), "utf8")).toBe("z");
    new SafeTree(folder.join("new/other")).write("x", utf8("z"), "");
    expect(readFileSync(folder.join("new/other/x"), "utf8")).toBe("z");
  });

  test("never through a link", () => {
    const tree = newTree();
    const outside = folder.folder(`t${count}/outside`);
    folder.write(`t${count}/outside/old`, "old");
    symlinkSync(outside, `${tree.root}/link`);
    mkdirSync(`${tree.root}/real`);
    symlinkSync("../link", `${tree.root}/real/again`);
    symlinkSync(`${outside}/old`, `${tree.root}/file`);
    for (const name of ["link/new", "link/old", "real/again/new"]) {
      expect(() => tree.write(name, utf8("x"), "")).toThrow(expect.objectContaining({ code: "unsafe-path" }));
      expect(() => tree.stat(name)).toThrow(expect.objectContaining({ code: "unsafe-path" }));
    }
    tree.write("file", utf8("new"), "");
    expect(readdirSync(outside)).toEqual(["old"]);
    expect(readFileSync(`${outside}/old`, "utf8")).toBe("old");
    expect(lstatSync(`${tree.root}/file`).isFile()).toBe(true);
    tree.write("made", utf8(outside), "l");
    expect(() => tree.write("made/x", utf8("x"), "")).toThrow();
    expect(readlinkSync(`${tree.root}/made`)).toBe(outside);
    tree.write("plain", utf8(""), "");
    expect(() => tree.write("plain/x", utf8("x"), "")).toThrow(
      expect.objectContaining({ code: "unsafe-path" }),
    );
  });

  test("names that are not UTF-8 keep their bytes", () => {
    const tree = newTree();
    const name = `d\udce9/\udcff`;
    tree.write(name, utf8("x"), "");
    const [made] = readdirSync(tree.root, { encoding: "buffer" });
    expect(made).toEqual(Buffer.from([0x64, 0xe9]));
    expect(tree.stat(name)?.size).toBe(1);
    expect(decodeText(new Uint8Array(made!))).toBe("d\udce9");
  });
});
