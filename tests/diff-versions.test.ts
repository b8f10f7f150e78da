import { expect, test } from "bun:test";
import fc from "fast-check";
import { utf8 } from "../src/bytes.ts";
import { LineNumbers } from "../src/diff-line-numbers.ts";
import { LINE_KEYS, splitLines } from "../src/diff-text.ts";
import { LineOwners } from "../src/diff-versions.ts";

/** Versions of a text, and what each version by itself says of it. */
const line = fc.constantFrom("}", "", "  }", "return;", "a", "b", "c", "d ", " d", "long line", "e\r");
const edit = fc.record({
  at: fc.nat(40),
  removed: fc.nat(4),
  added: fc.array(line, { maxLength: 4 }),
});
const history = fc
  .record({
    first: fc.array(line, { maxLength: 60 }),
    edits: fc.array(fc.array(edit, { maxLength: 3 }), { maxLength: 12 }),
    isEnded: fc.boolean(),
    mark: fc.constantFrom("", "\ufeff"),
  })
  .map(({ first, edits, isEnded, mark }) => {
    const lines = [...first];
    const texts = [lines.join("\n")];
    for (const some of edits) {
      for (const { at, removed, added } of some) lines.splice(at, removed, ...added);
      texts.push(lines.join("\n"));
    }
    return texts.map((text, i) => utf8(`${i % 2 === 0 ? mark : ""}${text}${isEnded ? "\n" : ""}`));
  });
const SEED = { seed: 11, numRuns: 150 };

test("versions one after the other: each line belongs to the first that lacks it by itself", () => {
  fc.assert(
    fc.property(history, fc.constantFrom(...Object.values(LINE_KEYS)), (versions, keyOf) => {
      const lines = splitLines(versions[0]!, true)!;
      const all = new LineOwners(lines, keyOf);
      const expected = new Int32Array(lines.length).fill(-1);
      for (const [i, version] of versions.entries()) {
        expect(all.compare(version, i)).toBe(true);
        const alone = new LineOwners(lines, keyOf);
        alone.compare(version, i);
        for (const [at, owner] of alone.owners.entries()) if (expected[at] === -1) expected[at] = owner;
      }
      expect([...all.owners]).toEqual([...expected]);
      expect(all.openCount).toBe(expected.filter((owner) => owner < 0).length);
    }),
    SEED,
  );
});

test("numbers stand for the lines of each version", () => {
  fc.assert(
    fc.property(history, (versions) => {
      const known = new LineNumbers();
      for (const version of versions) {
        const numbers = known.read(version)!;
        expect(Array.from(numbers, (number) => known.texts[number]!)).toEqual(splitLines(version, true)!);
      }
      expect(new Set(known.texts).size).toBe(known.texts.length);
    }),
    SEED,
  );
});

test("what is binary has no lines, and changes nothing", () => {
  const owners = new LineOwners(["a", "b"], undefined);
  const binary = [utf8("a\0"), utf8("x".repeat(32_768)), utf8(`a\n${"x".repeat(32_768)}\nb\n`)];
  for (const content of binary) expect(owners.compare(content, 0)).toBe(false);
  expect(owners.compare(utf8("a\n"), 1)).toBe(true);
  expect([...owners.owners]).toEqual([-1, 1]);
});
