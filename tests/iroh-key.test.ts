import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readIrohKey } from "../src/iroh-key.ts";
import { seededRandom } from "../src/random.ts";

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "edgesync-iroh-key-"));
  file = join(folder, "p.fossil.iroh-key");
});

afterEach(() => rmSync(folder, { recursive: true }));

const read = () => readIrohKey(file, seededRandom(1n));

test("a key is made when first used, for its owner alone, and stays", () => {
  const key = read();
  expect(key).toHaveLength(32);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readIrohKey(file, seededRandom(2n))).toEqual(key);
});

test("a file that others can read is refused", () => {
  read();
  chmodSync(file, 0o644);
  expect(read).toThrow(expect.objectContaining({ code: "iroh-key", hint: `chmod 600 ${file}` }));
});

test("what is no key is refused, not shown and not written over", () => {
  writeFileSync(file, "f00d", { mode: 0o600 });
  expect(read).toThrow(expect.objectContaining({ code: "iroh-key" }));
  expect(read).not.toThrow(/f00d/);
  expect(readFileSync(file, "latin1")).toBe("f00d");
  writeFileSync(file, "0".repeat(1_000_000));
  expect(read).toThrow(expect.objectContaining({ code: "iroh-key" }));
});

test("a folder that is not there is said to be the reason", () => {
  file = join(folder, "none", "key");
  expect(read).toThrow(expect.objectContaining({ code: "iroh-key" }));
});
