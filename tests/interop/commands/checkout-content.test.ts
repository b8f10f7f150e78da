/** Which patterns of a list a name matches, and which content a commit warns of: compared with stock, at random. */
import { describe, expect, test } from "bun:test";
import { concat, utf8 } from "../../../src/bytes.ts";
import { GlobList } from "../../../src/checkout-glob.ts";
import { type ContentRules, suspicionOf } from "../../../src/checkout-suspicious.ts";
import { randomBelow, seededRandom } from "../../../src/random.ts";
import { newestStock, stocks } from "../stock.ts";
import { CheckoutPair } from "./two-checkouts.ts";

const random = seededRandom(11n);
const pick = <T>(from: readonly T[]): T => from[randomBelow(random, from.length)]!;
const word = (parts: readonly string[], most: number) =>
  Array.from({ length: 1 + randomBelow(random, most) }, () => pick(parts)).join("");

test("lists of patterns", () => {
  const stock = newestStock();
  const letters = ["a", "b", "B", "/", ".", "-", "é", " "];
  const signs = [
    ...letters,
    "*",
    "*",
    "?",
    "[ab]",
    "[^ab]",
    "[a-z]",
    "[]b]",
    "[b",
    "]",
    "\\",
    ",",
    "'",
    '"',
    "'a b'",
  ];
  const names = Array.from({ length: 40 }, () => `x${word(letters, 5)}`);
  for (let i = 0; i < 120; i++) {
    const list = `${pick(["x", "*", "x*", "?"])}${word(signs, 6)}`;
    if (list.trim() === "" || /^[\s,'"]*$/.test(list) || list.startsWith("-") || list.startsWith("@"))
      continue;
    const said = stock.runSync(["test-glob", list, ...names]);
    expect([list, said.code]).toEqual([list, 0]);
    const lines = said.stdout.trimEnd().split("\n").slice(-names.length);
    const theirs = lines.map((line) => Number(/^\d+/.exec(line)![0]) > 0);
    const globs = new GlobList(list);
    expect([list, names.map((name) => globs.matches(name))]).toEqual([list, theirs]);
  }
});

const NOTHING = new GlobList(undefined);
const RULES: ContentRules = { binary: NOTHING, lineEnds: NOTHING, encoding: NOTHING, largeBytes: 0 };

describe.each(stocks())("fossil $version", (stock) => {
  test("content that a commit warns of", () => {
    using pair = new CheckoutPair(stock);
    const pieces: Uint8Array[] = [
      utf8("line\n"),
      utf8("line\r\n"),
      utf8("\r"),
      utf8("\n"),
      utf8("é\n"),
      utf8("plain"),
      Uint8Array.of(0xff),
      Uint8Array.of(0xfe, 0xff),
      Uint8Array.of(0xff, 0xfe),
      Uint8Array.of(0),
      utf8("long ".repeat(7000)),
    ];
    const contents = new Map<string, Uint8Array>();
    for (let i = 0; i < 150; i++) {
      const parts = Array.from({ length: randomBelow(random, 5) }, () => pick(pieces));
      contents.set(`f${i}`, concat(parts));
    }
    for (const [name, content] of contents) pair.write(name, content);
    pair.base("add", ".");
    const said = stock.runSync(["test-commit-warning", "-v"], { cwd: pair.tree("base") }).stdout;
    const theirs = new Map(
      said.split("\n").flatMap((line) => {
        const [, name, reason] = line.split("\t");
        return name === undefined ? [] : [[name.split("/").at(-1)!, reason ?? ""] as const];
      }),
    );
    for (const [name, content] of contents) {
      const odd = suspicionOf(name, content, RULES)?.what ?? "";
      expect([name, [...content.subarray(0, 40)], odd]).toEqual([
        name,
        [...content.subarray(0, 40)],
        theirs.get(name) ?? "not told",
      ]);
    }
  });
});
