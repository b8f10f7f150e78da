import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { utf8 } from "../src/bytes.ts";
import { matchLines } from "../src/diff-match.ts";
import { diffText, isSame, splitLines, unified } from "../src/diff-text.ts";
import { DIFF_LINE_MAX_BYTES } from "../src/limits.ts";

/** What a list of edits makes of the first text. */
function applied(
  from: readonly string[],
  to: readonly string[],
  edits: ReturnType<typeof matchLines>,
): string[] {
  const made: string[] = [];
  let [at1, at2] = [0, 0];
  for (const { copied, removed, inserted } of edits) {
    made.push(...from.slice(at1, at1 + copied), ...to.slice(at2 + copied, at2 + copied + inserted));
    at1 += copied + removed;
    at2 += copied + inserted;
  }
  expect(at1).toBe(from.length);
  return made;
}

describe("matchLines", () => {
  const line = fc.constantFrom("a", "b", "c", "  x", "}", "", "long line of text", "z");
  const text = fc.array(line, { maxLength: 60 });

  test("edits turn the one into the other", () => {
    fc.assert(
      fc.property(text, text, (from, to) => {
        expect(applied(from, to, matchLines(from, to))).toEqual(to);
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  test("a text against itself is one copy", () => {
    fc.assert(
      fc.property(text, (from) => {
        expect(matchLines(from, from)).toEqual(
          from.length === 0 ? [] : [{ copied: from.length, removed: 0, inserted: 0 }],
        );
      }),
      { seed: 2, numRuns: 100 },
    );
  });

  test("blocks in great number need no stack", () => {
    const from = Array.from({ length: 20_000 }, (_, i) => `line ${i}`);
    const to = from.map((value, i) => (i % 2 === 0 ? value : `other ${i}`));
    expect(applied(from, to, matchLines(from, to))).toEqual(to);
  });
});

describe("texts", () => {
  test("lines", () => {
    expect(splitLines(utf8(""))).toEqual([]);
    expect(splitLines(utf8("a\n\nb"))).toEqual(["a", "", "b"]);
    expect(splitLines(utf8("a\r\nb\n"), true)).toEqual(["a", "b"]);
    expect(splitLines(utf8("\ufeffa\n"))).toEqual(["a"]);
    expect(splitLines(Buffer.from("\ufeffé\n", "utf16le"))).toEqual(["Ã©"]);
    expect(splitLines(utf8("a\0b"))).toBeUndefined();
  });

  test("the longest line, and one byte more", () => {
    const longest = "x".repeat(DIFF_LINE_MAX_BYTES);
    expect(splitLines(utf8(`a\n${longest}\n`))).toHaveLength(2);
    expect(splitLines(utf8(`a\n${longest}x\n`))).toBeUndefined();
  });

  test("what does not count", () => {
    const same = (a: string, b: string, options = {}) => isSame(diffText(utf8(a), utf8(b), options)!);
    expect(same("a b\n", "a  b\n")).toBe(false);
    expect(same("a b\n", "a  b\n", { ignore: "all-space" })).toBe(true);
    expect(same("a\n", "a \t\n", { ignore: "trailing-space" })).toBe(true);
    expect(same("a\n", " a\n", { ignore: "trailing-space" })).toBe(false);
    expect(same("a\r\n", "a\n", { stripCr: true })).toBe(true);
    expect(same("a", "a\n")).toBe(true);
  });

  test("the unified form", () => {
    const diff = (a: string, b: string, context?: number) => unified(diffText(utf8(a), utf8(b))!, context);
    expect(diff("a\n", "a\n")).toBe("");
    expect(diff("", "a\nb\n")).toBe("@@ -0,0 +1,2 @@\n+a\n+b\n");
    expect(diff("a\n", "")).toBe("@@ -1,1 +0,0 @@\n-a\n");
    const [old, young] = ["1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\nx\n4\n5\n6\n7\ny\n9\n"];
    expect(diff(old, young, 1)).toBe("@@ -2,3 +2,3 @@\n 2\n-3\n+x\n 4\n@@ -7,3 +7,3 @@\n 7\n-8\n+y\n 9\n");
    expect(diff(old, young, 0)).toBe("@@ -3,1 +3,1 @@\n-3\n+x\n@@ -8,1 +8,1 @@\n-8\n+y\n");
    expect(diff(old, young)).toStartWith("@@ -1,9 +1,9 @@\n 1\n");
  });
});
