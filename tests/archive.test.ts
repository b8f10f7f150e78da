import { describe, expect, test } from "bun:test";
import { unzipSync } from "fflate";
import { TAR_END, tarEntry } from "../src/archive-tar.ts";
import { ZipWriter } from "../src/archive-zip.ts";
import { concat, EMPTY, text, utf8 } from "../src/bytes.ts";
import { ZIP_ENTRY_MAX_COUNT, ZIP_MAX_BYTES } from "../src/limits.ts";
import { TempDir } from "./temp-dir.ts";

const MTIME = Date.UTC(2026, 0, 31, 12, 34, 56);

describe("zip", () => {
  const collect = () => {
    const parts: Uint8Array[] = [];
    const zip = new ZipWriter((bytes) => parts.push(bytes.slice()));
    return { zip, whole: () => concat(parts) };
  };
  const file = (name: string, content: Uint8Array) => ({ name, kind: "file", mode: 0o644, content }) as const;

  test("is read back", () => {
    const { zip, whole } = collect();
    const large = utf8("text ".repeat(10_000));
    zip.add({ name: "ü/", kind: "folder", mode: 0o755, content: EMPTY }, MTIME);
    zip.add(file("ü/large", large), MTIME);
    zip.add(file("empty", EMPTY), 0);
    zip.end();
    const read = unzipSync(whole());
    expect(Object.keys(read)).toEqual(["ü/", "ü/large", "empty"]);
    expect(read["ü/large"]).toEqual(large);
    expect(whole().length).toBeLessThan(2_000);
  });

  test("the most entries, and one more", () => {
    const { zip } = collect();
    for (let i = 0; i < ZIP_ENTRY_MAX_COUNT; i++) zip.add(file(`${i}`, EMPTY), MTIME);
    expect(() => zip.add(file("more", EMPTY), MTIME)).toThrow(expect.objectContaining({ code: "zip-size" }));
  });

  test("the most bytes, and one more", () => {
    const { zip } = collect();
    /** As large as it says, of which nothing is read before it is refused. */
    const content = new Proxy(EMPTY, {
      get: (_, key) => (key === "length" ? ZIP_MAX_BYTES + 1 : undefined),
    });
    expect(() => zip.add(file("large", content), MTIME)).toThrow(
      expect.objectContaining({ code: "zip-size" }),
    );
  });
});

test("tar: what the system's tar makes of it", () => {
  const folder = new TempDir("tar");
  const long = `${"folder/".repeat(20)}${"n".repeat(90)}`;
  const name = `ü/${"x".repeat(120)}`;
  const entry = (at: string, kind: "file" | "folder" | "link", mode: number, content = "") =>
    tarEntry({ name: at, kind, mode, content: utf8(content) }, MTIME);
  const archive = concat([
    entry("d", "folder", 0o755),
    entry("d/run", "file", 0o755, "#!/bin/sh\n"),
    entry("d/empty", "file", 0o644),
    entry("d/link", "link", 0o755, "run"),
    entry("d/far", "link", 0o755, "far/".repeat(40)),
    entry(long, "file", 0o644, "long"),
    entry(name, "file", 0o644, "y".repeat(600)),
    TAR_END,
  ]);
  expect(archive.length % 512).toBe(0);
  const path = folder.write("a.tar", archive);
  const { stdout, exitCode } = Bun.spawnSync(["tar", "tvf", path], {
    env: { TZ: "UTC", LC_ALL: "C.UTF-8", PATH: process.env["PATH"] ?? "" },
  });
  expect(exitCode).toBe(0);
  const lines = text(stdout).trimEnd().split("\n");
  expect(lines.map((line) => line.replace(/ +/g, " "))).toEqual([
    "drwxr-xr-x nobody/nobody 0 2026-01-31 12:34 d",
    "-rwxr-xr-x nobody/nobody 10 2026-01-31 12:34 d/run",
    "-rw-r--r-- nobody/nobody 0 2026-01-31 12:34 d/empty",
    "lrwxr-xr-x nobody/nobody 0 2026-01-31 12:34 d/link -> run",
    `lrwxr-xr-x nobody/nobody 0 2026-01-31 12:34 d/far -> ${"far/".repeat(40)}`,
    `-rw-r--r-- nobody/nobody 4 2026-01-31 12:34 ${long}`,
    `-rw-r--r-- nobody/nobody 600 2026-01-31 12:34 ${name}`,
  ]);
  folder.remove();
});
