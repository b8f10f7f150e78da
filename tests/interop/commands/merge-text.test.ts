/** Merges of random texts, compared byte for byte with those of `fossil 3-way-merge`. */
import { describe, expect, test } from "bun:test";
import { readFileSync, rmSync } from "node:fs";
import { text, utf8 } from "../../../src/bytes.ts";
import { mergeText } from "../../../src/merge-text.ts";
import { type Random, randomBelow, seededRandom } from "../../../src/random.ts";
import { TempDir } from "../../temp-dir.ts";
import { stocks } from "../stock.ts";

const ROUNDS = 200;
const WORDS = [
  "alpha",
  "{",
  "}",
  "",
  "  return x;",
  "int f(){",
  "delta eps zeta",
  "x=1;",
  "9a9",
  "\tfoo(bar, baz);",
];

/** Three texts that have much in common, as an ancestor and two sides have. */
function triple(random: Random): [string, string, string] {
  const below = (count: number) => randomBelow(random, count);
  const word = () => WORDS[below(WORDS.length)]!;
  const line = () => Array.from({ length: 1 + below(5) }, word).join(" ");
  const changeLine = (all: string[], at: number) => {
    const words = all[at]?.split(" ");
    if (words === undefined) return;
    words[below(words.length)] = word();
    all[at] = words.join(" ");
  };
  const edited = (old: readonly string[]) => {
    const all = [...old];
    for (let left = below(6); left > 0; left--) {
      const at = below(all.length + 1);
      const kind = below(4);
      if (kind === 0) all.splice(at, 0, ...Array.from({ length: 1 + below(4) }, line));
      else if (kind === 1) all.splice(at, 1 + below(4));
      else if (kind === 2) changeLine(all, at);
      else all.splice(below(all.length + 1), 0, ...all.splice(at, 1 + below(5)));
    }
    return all;
  };
  const old = Array.from({ length: below(40) }, line);
  const ours = edited(old);
  const theirs = edited(below(8) === 0 ? ours : old);
  const end = below(8) === 0 ? "\r\n" : "\n";
  const join = (all: readonly string[]) => all.map((one) => one + end).join("");
  return [join(old), join(ours), join(theirs)];
}

/** One line, changed on both sides word by word: what is suggested for a conflict. */
function lineTriple(random: Random): [string, string, string] {
  const below = (count: number) => randomBelow(random, count);
  const word = () => ["a9b", "9", "x.9", "=", "==", "foo", "bar9", "(", "),", "é", "  "][below(11)]!;
  const old = Array.from({ length: 4 + below(24) }, word);
  const edited = () => {
    const words = [...old];
    for (let left = 1 + below(3); left > 0; left--) words.splice(below(words.length + 1), below(3), word());
    return words;
  };
  return [old, edited(), edited()].map((words) => `${words.join([" ", ""][below(2)])}\n`) as [
    string,
    string,
    string,
  ];
}

describe.each(stocks())("fossil $version", (stock) => {
  test(`${ROUNDS} random merges are the same`, () => {
    using dir = new TempDir("merge");
    for (let seed = 1; seed <= ROUNDS; seed++) {
      const random = seededRandom(BigInt(seed));
      const texts = seed % 2 === 0 ? lineTriple(random) : triple(random);
      const files = texts.map((content, i) => dir.write(String(i), content));
      const out = dir.join("out");
      rmSync(out, { force: true });
      const { stderr } = stock.runSync(["3-way-merge", ...files, out]);
      const { content, conflictCount } = mergeText(
        ...(texts.map(utf8) as [Uint8Array, Uint8Array, Uint8Array]),
      )!;
      const suggestions = /^#{7} SUGGESTED[\s\S]*?(?=^\|{7} COMMON)/gm;
      const ours = stock.atLeast(2, 27) ? text(content) : text(content).replace(suggestions, "");
      expect({ seed, merged: ours }).toEqual({ seed, merged: readFileSync(out, "utf8") });
      expect(conflictCount).toBe(Number(/WARNING: (\d+) merge conflicts/.exec(stderr)?.[1] ?? 0));
    }
  });
});
