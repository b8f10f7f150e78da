import { afterAll, expect, test } from "bun:test";
import fc from "fast-check";
import { GlobList } from "../src/checkout-glob.ts";
import { Db } from "../src/db.ts";
import { TempDir } from "./temp-dir.ts";

/** SQLite's GLOB is the model of one pattern: `fossil` calls it. */
const folder = new TempDir("glob");
const db = Db.open(folder.join("empty.db"), { mode: "create" });
afterAll(() => {
  db.close();
  folder.remove();
});
const matchesInSqlite = (pattern: string, name: string) =>
  db.prepare("SELECT ? GLOB ?").value<number>(name, pattern) === 1;

const letters = fc.constantFrom("a", "b", "c", "A", "/", ".", "-", "é", "𝄞", "]", "^", "\n");
const name = fc.string({ unit: letters, maxLength: 6 });
const set = fc
  .tuple(
    fc.constantFrom("", "^"),
    fc.constantFrom("", "]"),
    fc.array(fc.constantFrom("a", "b", "c", "a-b", "b-a", "A-a", "-", "é", "^", "/"), { maxLength: 3 }),
    fc.constantFrom("]", "]", "]", ""),
  )
  .map(([inverted, first, items, end]) => `[${inverted}${first}${items.join("")}${end}`);
const pattern = fc
  .array(fc.oneof(letters, fc.constantFrom("*", "?"), set), { minLength: 1, maxLength: 5 })
  .map((parts) => parts.join(""));
const options = { seed: 7, numRuns: 3000 };

test("one pattern matches what SQLite's GLOB matches", () => {
  let matchCount = 0;
  fc.assert(
    fc.property(pattern, name, (one, text) => {
      const isMatch = matchesInSqlite(one, text);
      if (isMatch) matchCount++;
      expect(new GlobList(`"${one}"`).matches(text)).toBe(isMatch);
    }),
    options,
  );
  expect(matchCount).toBeGreaterThan(options.numRuns / 50);
});

test("a list matches what one of its patterns matches, however they are parted and quoted", () => {
  const quoted = fc.tuple(pattern, fc.constantFrom("'", '"'), fc.constantFrom(",", " ", "\n", ", "));
  fc.assert(
    fc.property(fc.array(quoted, { maxLength: 4 }), name, (items, text) => {
      const list = items.map(([one, quote, between]) => `${quote}${one}${quote}${between}`).join("");
      const globs = new GlobList(list);
      expect(globs.patterns).toEqual(items.map(([one]) => one));
      expect(globs.matches(text)).toBe(items.some(([one]) => matchesInSqlite(one, text)));
    }),
    { ...options, numRuns: 500 },
  );
});
