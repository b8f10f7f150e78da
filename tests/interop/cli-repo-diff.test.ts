import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, rmSync } from "node:fs";
import { cli } from "../cli-process.ts";
import { TempDir } from "../temp-dir.ts";
import { stocks } from "./stock.ts";

/** Differences of check-ins, against what stock prints of the same repository. */
const folder = new TempDir("cli-diff");
const repository = folder.join("r.fossil");
const at = ["-R", repository];
afterAll(() => folder.remove());

async function ok(words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await cli(words);
  if (code !== 0) throw new Error(`edgesync ${words.join(" ")}: ${stderr}`);
  return stdout;
}

/** Whole numbers below `bound` from a seed: the same for ever. */
function numbers(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % bound;
  };
}

/** A text like source code, and an edited one: blocks moved, lines changed, taken away and put in. */
function edited(seed: number): [string, string] {
  const next = numbers(seed);
  const words = ["if (x) {", "}", "", "  return y;", "  call(a, b);", "int f(void){", "  x++;", "/* text */"];
  const line = () => (next(3) === 0 ? `  value${next(40)} = ${next(90)};` : words[next(words.length)]!);
  const lines = Array.from({ length: 20 + next(200) }, line);
  const after = [...lines];
  for (let i = 1 + next(12); i > 0; i--) {
    const place = next(after.length);
    const kind = next(4);
    if (kind === 0) after.splice(place, 1 + next(6));
    else if (kind === 1) after.splice(place, 0, ...Array.from({ length: 1 + next(6) }, line));
    else if (kind === 2) after[place] = `  ${after[place]}`;
    else after.splice(next(after.length), 0, ...after.splice(place, next(10)));
  }
  return [`${lines.join("\n")}\n`, `${after.join("\n")}\n`];
}

const SEEDS = Array.from({ length: 60 }, (_, i) => i + 1);
const commit = (message: string, ...more: string[]) =>
  ok(["repo", "ci", ...at, "-C", folder.join("w"), "-m", message, ...more, "."]);

beforeAll(async () => {
  await ok(["repo", "new", repository]);
  const count = Array.from({ length: 40 }, (_, i) => `${i + 1}\n`).join("");
  const before: Readonly<Record<string, string>> = {
    "a.txt": count,
    "b.bin": "x\0y",
    "gone.txt": "gone\n",
    "d/crlf.txt": "a\r\nb\r\nc\r\n",
    "d/end.txt": "no newline",
    same: "same\n",
    "blank.txt": "a b\nc\n",
    "ü x.txt": "one\n",
    mode: "mode\n",
  };
  for (const [name, content] of Object.entries(before)) folder.write(`w/${name}`, content);
  for (const seed of SEEDS) folder.write(`w/r/${seed}`, edited(seed)[0]);
  await commit("one", "--tag", "one");
  folder.write(
    "w/a.txt",
    count.replace("\n5\n", "\nfive\n").replace("\n20\n", "\n  20\n").replace("\n31\n", "\n"),
  );
  folder.write("w/b.bin", "x\0z");
  folder.write("w/d/crlf.txt", "a\r\nB\r\nc\n");
  folder.write("w/d/end.txt", "no newline\n");
  folder.write("w/blank.txt", "a  b\nc \n");
  folder.write("w/ü x.txt", "one\ntwö\n");
  folder.write("w/empty.txt", "");
  folder.write("w/new.txt", "new\n");
  chmodSync(folder.join("w/mode"), 0o755);
  for (const seed of SEEDS) folder.write(`w/r/${seed}`, edited(seed)[1]);
  await commit("two", "--tag", "two");
  rmSync(folder.join("w/a.txt"));
  folder.write("w/same", "not the same\n");
  await commit("three", "--tag", "three", "--branch", "side");
});

describe.each(stocks().map((stock) => [stock.version, stock] as const))("stock %s", (_version, stock) => {
  /** Older versions ended headings of files without a tab, and had the name for the side that is not there. */
  const named = (text: string) =>
    /^--- .*\t$/m.test(text)
      ? text
      : text
          .replace(/^(Index: .*\n=+\n--- .*)(\n\+\+\+ .*)/gm, "$1\t$2\t")
          .replace(/^(ADDED +(.*)\nIndex: \2\n=+\n)--- .*/gm, "$1--- /dev/null\t")
          .replace(/^(DELETED +(.*)\nIndex: \2\n=+\n--- .*\n)\+\+\+ .*/gm, "$1+++ /dev/null\t");

  test.each([
    [],
    ["-c", "1"],
    ["--brief"],
    ["-w"],
    ["-Z"],
    ["--strip-trailing-cr"],
    ["-N"],
    ["--invert"],
    ["d"],
    ["a.txt", "ü x.txt"],
  ])("%j %j", async (...options) => {
    const words = ["diff", "--from", "one", "--to", "two", ...options, ...at];
    expect(await ok(["repo", ...words])).toBe(named(stock.okSync(words, { cwd: folder.join("w") })));
  });

  // Older ones show a short ending whole in a single hunk too, and counts without a heading.
  test.skipIf(!stock.atLeast(2, 29))("wide hunks and counts", async () => {
    for (const options of [["-c", "20"], ["--numstat"], ["--numstat", "--brief"]]) {
      const words = ["diff", "--from", "one", "--to", "two", ...options, ...at];
      expect(await ok(["repo", ...words])).toBe(stock.okSync(words, { cwd: folder.join("w") }));
    }
  });

  test("of one check-in, and of a branch", async () => {
    for (const words of [
      ["--checkin", "two"],
      ["--checkin", "side", "-N"],
    ]) {
      const printed = named(stock.okSync(["diff", ...words, ...at], { cwd: folder.join("w") }));
      expect(await ok(["repo", "diff", ...words, ...at])).toBe(printed);
    }
    expect(await ok(["repo", "diff", "--branch", "side", ...at])).toContain("+not the same\n");
  });
});

test("as JSON, and what is refused", async () => {
  const lines = (await ok(["repo", "diff", "--checkin", "two", "--json", ...at])).trimEnd().split("\n");
  const files = lines.map((line) => JSON.parse(line));
  expect(files.find(({ name }) => name === "b.bin")).toEqual({
    name: "b.bin",
    status: "changed",
    isBinary: true,
    inserted: null,
    removed: null,
    diff: null,
  });
  expect(files.find(({ name }) => name === "ü x.txt")).toMatchObject({
    inserted: 1,
    removed: 0,
    diff: "@@ -1,1 +1,2 @@\n one\n+twö\n",
  });
  expect(files.find(({ name }) => name === "new.txt")).toMatchObject({ status: "added", inserted: 1 });
  for (const [words, code] of [
    [["--from", "one"], 2],
    [["--from", "one", "--to", "two", "--checkin", "two"], 2],
    [["--from", "none", "--to", "two"], 1],
    [["--checkin", "root:trunk"], 1],
  ] as const) {
    expect(await cli(["repo", "diff", ...words, ...at])).toMatchObject({ code, stdout: "" });
  }
});
