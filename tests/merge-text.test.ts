import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { concat, text, utf8 } from "../src/bytes.ts";
import { CONFLICT_MARKS, hasConflictMark } from "../src/checkout-conflict-mark.ts";
import { mergeText } from "../src/merge-text.ts";

const SEED = 20_261_123;
const [OURS, , ANCESTOR, THEIRS, END] = CONFLICT_MARKS;

function merge(ancestor: string, ours: string, theirs: string): { content: string; conflictCount: number } {
  const { content, conflictCount } = mergeText(utf8(ancestor), utf8(ours), utf8(theirs))!;
  return { content: text(content), conflictCount };
}

const lines = (...all: string[]) => all.map((line) => `${line}\n`).join("");

describe("without a conflict", () => {
  test("changes far apart are both taken", () => {
    const old = lines("a", "b", "c", "d", "e");
    expect(merge(old, lines("A", "b", "c", "d", "e"), lines("a", "b", "c", "d", "E"))).toEqual({
      content: lines("A", "b", "c", "d", "E"),
      conflictCount: 0,
    });
  });

  test("the same change on both sides is taken once", () => {
    const changed = lines("a", "X", "c");
    expect(merge(lines("a", "b", "c"), changed, changed)).toEqual({ content: changed, conflictCount: 0 });
  });

  test("a line without an end that something follows is ended", () => {
    expect(merge("a\nb", "a\nb\nc", "a2\nb").content).toBe("a2\nb\nc");
    expect(merge("a\r\nb", "a\r\nb\r\nc", "a2\r\nb").content).toBe("a2\r\nb\r\nc");
    expect(merge("a\nb", "a\nb", "a2\nb").content).toBe("a2\nb");
  });

  test("a byte order mark stays when both sides have it", () => {
    expect(merge("\uFEFFa\nb\n", "\uFEFFA\nb\n", "\uFEFFa\nb\nc\n").content).toBe("\uFEFFA\nb\nc\n");
    expect(merge("a\nb\n", "A\nb\n", "\uFEFFa\nb\nc\n").content).toBe("A\nb\nc\n");
  });

  test("UTF-16 becomes UTF-8", () => {
    const wide = (all: string) =>
      concat([Uint8Array.of(0xff, 0xfe), new Uint8Array(Buffer.from(all, "utf16le"))]);
    const merged = mergeText(wide("a\nb\nc\n"), wide("ä\nb\nc\n"), wide("a\nb\nd\n"))!;
    expect(text(merged.content)).toBe("ä\nb\nd\n");
  });
});

describe("a conflict", () => {
  test("shows both sides, the ancestor, where they are, and a merge by words", () => {
    const { content, conflictCount } = merge(
      lines("top", "one two three", "end"),
      lines("top", "ONE two three", "end"),
      lines("top", "one two THREE", "end"),
    );
    expect(conflictCount).toBe(1);
    expect(content).toBe(
      lines(
        "top",
        `${OURS} (line 2)`,
        "ONE two three",
        "####### SUGGESTED CONFLICT RESOLUTION follows ###################",
        "ONE two THREE",
        `${ANCESTOR} (line 2)`,
        "one two three",
        `${THEIRS} (line 2)`,
        "one two THREE",
        END,
        "end",
      ),
    );
    expect(hasConflictMark(utf8(content))).toBe(true);
  });

  test("leaves an empty suggestion out", () => {
    expect(merge(lines("a", "b"), lines("a", "x"), lines("a")).content).toBe(
      lines("a", `${OURS} (line 2)`, "x", `${ANCESTOR} (line 2)`, "b", `${THEIRS} (line 2)`, END),
    );
  });

  test("is written with the line ends that both sides have", () => {
    const { content } = merge("a\r\nb\r\n", "a\r\nx\r\n", "a\r\ny\r\n");
    expect(content.split("\r\n").some((line) => line.includes("\n"))).toBe(false);
    expect(merge("a\nb\n", "a\nx\n", "a\r\ny\r\n").content).toContain(`${END}\n`);
  });
});

describe("a binary text", () => {
  test("has a NUL or a line past 32,767 bytes, and no merge", () => {
    const longest = "x".repeat(32_767);
    expect(merge(longest, longest, longest).conflictCount).toBe(0);
    for (const binary of [`${longest}x`, "a\0b", "\uFEFFa\0b"]) {
      for (const at of [0, 1, 2]) {
        const [a, b, c] = ["", "", ""].with(at, binary).map(utf8);
        expect(mergeText(a!, b!, c!)).toBeUndefined();
      }
    }
  });
});

describe("any texts", () => {
  const line = fc.constantFrom("", "}", "a", "b", "c", "  a", "one two", "one three");
  const textOfLines = fc.array(line, { maxLength: 12 }).map((all) => lines(...all));
  const three = fc.tuple(textOfLines, textOfLines, textOfLines);
  const options = { seed: SEED, numRuns: 1500 };

  test("a side that changed nothing gets the other's text, and merging with oneself changes nothing", () => {
    fc.assert(
      fc.property(textOfLines, textOfLines, (old, changed) => {
        expect(merge(old, old, changed)).toEqual({ content: changed, conflictCount: 0 });
        expect(merge(old, changed, old)).toEqual({ content: changed, conflictCount: 0 });
        expect(merge(old, changed, changed)).toEqual({ content: changed, conflictCount: 0 });
      }),
      options,
    );
  });

  test("no edit is lost: a line that is new on a side is in the merge", () => {
    fc.assert(
      fc.property(three, ([old, ours, theirs]) => {
        const merged = new Set(merge(old, ours, theirs).content.split("\n"));
        const kept = new Set(old.split("\n"));
        for (const line of [...ours.split("\n"), ...theirs.split("\n")]) {
          if (!kept.has(line)) expect(merged).toContain(line);
        }
      }),
      options,
    );
  });

  test("conflicts are symmetric: the sides exchanged, there are as many, with the sides exchanged", () => {
    fc.assert(
      fc.property(three, ([old, ours, theirs]) => {
        const [one, other] = [merge(old, ours, theirs), merge(old, theirs, ours)];
        expect(one.conflictCount).toBe(other.conflictCount);
        expect(conflictsOf(one.content)).toEqual(
          conflictsOf(other.content).map(({ ours: left, old: base, theirs: right }) => ({
            ours: right,
            old: base,
            theirs: left,
          })),
        );
      }),
      options,
    );
  });

  test("as many conflicts are counted as are marked", () => {
    fc.assert(
      fc.property(three, ([old, ours, theirs]) => {
        const { content, conflictCount } = merge(old, ours, theirs);
        expect(conflictsOf(content)).toHaveLength(conflictCount);
        expect(hasConflictMark(utf8(content))).toBe(conflictCount > 0);
      }),
      options,
    );
  });
});

function conflictsOf(content: string): { ours: string; old: string; theirs: string }[] {
  const pattern =
    /^<{7} BEGIN.*\n(?<ours>[\s\S]*?)(?:^#{7} SUGG.*\n[\s\S]*?)?^\|{7} COMM.*\n(?<old>[\s\S]*?)^={7} MERG.*\n(?<theirs>[\s\S]*?)^>{7} END/gm;
  return [...content.matchAll(pattern)].map(
    ({ groups }) => groups as { ours: string; old: string; theirs: string },
  );
}
