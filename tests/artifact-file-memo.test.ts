import { expect, test } from "bun:test";
import fc from "fast-check";
import { FileMemo } from "../src/artifact-file-memo.ts";
import { formatArtifact } from "../src/artifact-format.ts";
import { parseArtifact } from "../src/artifact-parse.ts";
import type { Artifact, CheckIn, FileEntry } from "../src/artifact-types.ts";
import { compareUtf8, concat, utf8 } from "../src/bytes.ts";
import { FormatError } from "../src/errors.ts";
import { type Hash, md5Hex, sha1Hex } from "../src/hash.ts";

const hashOf = (n: number) => sha1Hex(`content ${n}`) as Hash;

const NAMES = ["a", "a b", "a/b.txt", "ä/ö", "dir/name\\x", "z", "日本/語", "l\udce9gacy"];

const files = fc
  .uniqueArray(
    fc.record({
      name: fc.constantFrom(...NAMES),
      content: fc.nat({ max: 3 }),
      permission: fc.constantFrom<FileEntry["permission"]>("", "x", "l"),
      prior: fc.option(fc.constantFrom("old", "ö ld"), { nil: undefined, freq: 4 }),
      isDeleted: fc.boolean(),
    }),
    { selector: ({ name }) => name },
  )
  .map((entries) => entries.sort((a, b) => compareUtf8(a.name, b.name)));

const checkIns = fc.array(fc.record({ files, isDelta: fc.boolean() }), { minLength: 2, maxLength: 8 });

function checkIn(list: readonly FileEntry[], isDelta: boolean): CheckIn {
  const baseline = isDelta ? { baseline: hashOf(99) } : {};
  const rest = { comment: "c", date: 0, parents: [], cherrypicks: [], tags: [], user: "u" };
  return { type: "check-in", ...baseline, files: list, ...rest };
}

test("parsing with a memo gives what parsing without one gives, whatever was parsed before", () => {
  fc.assert(
    fc.property(checkIns, (sequence) => {
      const memo = new FileMemo();
      for (const { files: entries, isDelta } of sequence) {
        const list = entries.map(({ name, content, permission, prior, isDeleted }): FileEntry => {
          if (isDelta && isDeleted) return { name, permission: "" };
          return { name, hash: hashOf(content), permission, ...(prior && { priorName: prior }) };
        });
        const bytes = formatArtifact(checkIn(list, isDelta));
        expect(parseArtifact(bytes, { memo })).toEqual(parseArtifact(bytes));
      }
    }),
    { seed: 1, numRuns: 60 },
  );
});

test("a file that did not change is one object", () => {
  const memo = new FileMemo();
  const parse = (...list: FileEntry[]) =>
    parseArtifact(formatArtifact(checkIn(list, false)), { memo }) as CheckIn;
  const [a, b, c] = ["a", "b", "c"].map((name): FileEntry => ({ name, hash: hashOf(1), permission: "" }));
  const first = parse(a!, b!, c!);
  const second = parse(a!, { ...b!, permission: "x" }, c!);
  expect(second.files[0]).toBe(first.files[0]!);
  expect(second.files[1]).not.toBe(first.files[1]!);
  expect(second.files[2]).toBe(first.files[2]!);
});

/** F lines as they are, in a check-in with a right Z card. */
function manifest(...lines: string[]): Uint8Array {
  const cards = utf8(
    ["C c", "D 2024-01-01T00:00:00", ...lines.map((line) => `F ${line}`), "U u", ""].join("\n"),
  );
  return concat([cards, utf8(`Z ${md5Hex(cards)}\n`)]);
}

test.each([
  ["out of order", [`b ${hashOf(1)}`, `a ${hashOf(1)}`]],
  ["twice the same", [`a ${hashOf(1)}`, `a ${hashOf(1)}`]],
  ["without a hash", [`a ${hashOf(1)}`, "b"]],
])("known lines are refused where they must not be: %s", (_what, lines) => {
  const memo = new FileMemo();
  for (const line of [`a ${hashOf(1)}`, `b ${hashOf(1)}`]) parseArtifact(manifest(line), { memo });
  parseArtifact(manifest(`a ${hashOf(1)}`, `b ${hashOf(1)}`), { memo });
  expect(() => parseArtifact(manifest(...lines), { memo })).toThrow(FormatError);
});

test("a line that is only the start of a known one is another line", () => {
  const memo = new FileMemo();
  const long = manifest(`a ${hashOf(1)}`, `b ${hashOf(2)} x`);
  const short = manifest(`a ${hashOf(1)}`, `b ${hashOf(2)}`);
  for (const bytes of [long, short, long, short]) {
    const expected: Artifact = parseArtifact(bytes);
    expect(parseArtifact(bytes, { memo })).toEqual(expected);
  }
});
