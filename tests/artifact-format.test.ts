import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { formatArtifact } from "../src/artifact-format.ts";
import { parseArtifact } from "../src/artifact-parse.ts";
import type { Artifact, CheckIn } from "../src/artifact-types.ts";
import { compareUtf8, text, utf8 } from "../src/bytes.ts";
import { FormatError } from "../src/errors.ts";
import { asHash, type Hash } from "../src/hash.ts";
import { MD5, SHA1, SHA1_LATER, SHA3, withZ } from "./artifact-cases.ts";

const [hash, later, long] = [asHash(SHA1), asHash(SHA1_LATER), asHash(SHA3)];
const date = Date.UTC(2026, 0, 31, 12, 34, 56, 789);
const DATE = "D 2026-01-31T12:34:56.789";

const EMPTY: CheckIn = { type: "check-in", date, files: [], parents: [], cherrypicks: [], tags: [] };

/** Each type with all its cards, and the bytes it stands for. Sort order of the lists is undone on purpose. */
const GOLDEN: readonly (readonly [Artifact, readonly string[]])[] = [
  [
    {
      type: "check-in",
      comment: "two words\nand a \\",
      date,
      files: [
        { name: "b/c d", hash: long, permission: "", priorName: "old name" },
        { name: "a", hash, permission: "x" },
        { name: "link", hash: later, permission: "l", priorName: "l" },
        { name: "é", hash, permission: "" },
      ],
      mimetype: "text/x-markdown",
      parents: [long, hash],
      cherrypicks: [
        { backout: true, from: long },
        { backout: false, from: hash, through: later },
      ],
      filesChecksum: MD5,
      tags: [
        { action: "-", name: "sym-trunk", target: undefined },
        { action: "+", name: "sym-v 1", target: later },
        { action: "*", name: "branch", target: undefined, value: "new one" },
        { action: "+", name: "sym-v 1", target: undefined },
      ],
      user: "j doe",
    },
    [
      "C two\\swords\\nand\\sa\\s\\\\",
      DATE,
      `F a ${SHA1} x`,
      `F b/c\\sd ${SHA3} w old\\sname`,
      `F link ${SHA1_LATER} l l`,
      `F é ${SHA1}`,
      "N text/x-markdown",
      `P ${SHA3} ${SHA1}`,
      `Q -${SHA3}`,
      `Q +${SHA1} ${SHA1_LATER}`,
      `R ${MD5}`,
      "T *branch * new\\sone",
      "T +sym-v\\s1 *",
      `T +sym-v\\s1 ${SHA1_LATER}`,
      "T -sym-trunk *",
      "U j\\sdoe",
    ],
  ],
  [
    { ...EMPTY, baseline: hash, comment: "", files: [{ name: "gone", permission: "" }] },
    [`B ${SHA1}`, "C ", DATE, "F gone"],
  ],
  [{ type: "cluster", members: [long, hash, later] }, [`M ${SHA1}`, `M ${SHA1_LATER}`, `M ${SHA3}`]],
  [
    {
      type: "control",
      date,
      tags: [{ action: "*", name: "bgcolor", target: hash, value: "#fff" }],
      user: "drh",
    },
    [DATE, `T *bgcolor ${SHA1} #fff`, "U drh"],
  ],
  [
    {
      type: "wiki",
      comment: "why",
      date,
      title: "Some Page",
      mimetype: "text/plain",
      parents: [hash],
      user: "drh",
      body: utf8("é\n"),
    },
    ["C why", DATE, "L Some\\sPage", "N text/plain", `P ${SHA1}`, "U drh", "W 3\né\n"],
  ],
  [
    {
      type: "ticket",
      date,
      fields: [
        { name: "title", append: false, value: "a b" },
        { name: "comment", append: true, value: "" },
      ],
      ticketId: SHA1,
      user: "drh",
    },
    [DATE, "J +comment", "J title a\\sb", `K ${SHA1}`, "U drh"],
  ],
  [
    {
      type: "attachment",
      name: "a b.png",
      target: "Some Page",
      source: long,
      comment: "c",
      date,
      user: "drh",
    },
    [`A a\\sb.png Some\\sPage ${SHA3}`, "C c", DATE, "U drh"],
  ],
  [{ type: "attachment", name: "a.png", target: SHA1, date }, [`A a.png ${SHA1}`, DATE]],
  [
    {
      type: "technote",
      comment: "t",
      date,
      eventDate: 0,
      technoteId: SHA1,
      mimetype: "text/x-markdown",
      parents: [long],
      tags: [{ action: "+", name: "bgcolor", target: undefined, value: "red" }],
      user: "drh",
      body: utf8(""),
    },
    [
      "C t",
      DATE,
      `E 1970-01-01T00:00:00.000 ${SHA1}`,
      "N text/x-markdown",
      `P ${SHA3}`,
      "T +bgcolor * red",
      "U drh",
      "W 0\n",
    ],
  ],
  [
    {
      type: "forum",
      date,
      title: "A title",
      mimetype: "text/plain",
      parents: [],
      user: "drh",
      body: utf8("hi"),
    },
    [DATE, "H A\\stitle", "N text/plain", "U drh", "W 2\nhi"],
  ],
  [
    {
      type: "forum",
      date,
      threadRoot: hash,
      inReplyTo: later,
      parents: [long],
      user: "drh",
      body: Uint8Array.of(0, 255, 10),
    },
    [DATE, `G ${SHA1}`, `I ${SHA1_LATER}`, `P ${SHA3}`, "U drh", "W 3\n\x00\xff\n"],
  ],
];

/** Lines of text as UTF-8, but the body of the last golden artifact byte for byte. */
function goldenBytes(lines: readonly string[]): Uint8Array {
  const raw = lines.map((line) => (line.includes("\xff") ? line : Buffer.from(line).toString("latin1")));
  return new Uint8Array(Buffer.from(withZ(...raw), "latin1"));
}

describe("golden artifacts", () => {
  test.each(GOLDEN.map(([artifact, lines]) => [artifact.type, artifact, lines] as const))(
    "%s",
    (_, artifact, lines) => {
      const bytes = goldenBytes(lines);
      expect(text(formatArtifact(artifact))).toBe(text(bytes));
      expect(formatArtifact(artifact)).toEqual(bytes as Uint8Array<ArrayBuffer>);
      expect(formatArtifact(parseArtifact(bytes))).toEqual(bytes as Uint8Array<ArrayBuffer>);
    },
  );

  test("cover every type", () => {
    expect(new Set(GOLDEN.map(([{ type }]) => type)).size).toBe(8);
  });
});

describe("what cannot be written", () => {
  const file = (name: string) => ({ name, hash, permission: "" as const });
  const tag = (name: string, target: Hash | undefined) => ({ action: "+" as const, name, target });
  const control: Artifact = { type: "control", date, tags: [tag("x", hash)], user: "u" };
  const ticket: Artifact = {
    type: "ticket",
    date,
    fields: [{ name: "a", append: false, value: "" }],
    ticketId: SHA1,
    user: "u",
  };
  const refused: readonly (readonly [string, Artifact])[] = [
    ["nothing in a check-in", EMPTY],
    ["NUL in a comment", { ...EMPTY, comment: "a\0b" }],
    ["a file twice", { ...EMPTY, files: [file("a"), file("a")] }],
    ["a file outside the project", { ...EMPTY, files: [file("../a")] }],
    ["a reserved file", { ...EMPTY, files: [file("a"), file("x/_FOSSIL_")] }],
    ["a file without a hash or baseline", { ...EMPTY, files: [{ name: "a", permission: "" }] }],
    ["a control artifact on itself", { ...control, tags: [tag("x", undefined)] }],
    ["a control artifact without tags", { ...control, tags: [] }],
    ["a tag of hex digits", { ...control, tags: [tag("abc", hash)] }],
    ["a hash with cards in it", { ...control, tags: [tag("x", `${SHA1}\nU evil` as Hash)] }],
    ["a field name with a space", { ...ticket, fields: [{ name: "a b", append: false, value: "" }] }],
    ["a ticket id with cards in it", { ...ticket, ticketId: `${SHA1}\nU evil` }],
    ["an empty cluster", { type: "cluster", members: [] }],
    ["a date that is none", { ...control, date: Number.NaN }],
    ["a date past the year 9999", { ...control, date: Date.UTC(10_000, 0, 1) }],
    [
      "a wiki name too long",
      { type: "wiki", date, title: "x".repeat(101), parents: [], user: "u", body: utf8("") },
    ],
    [
      "a title and a question",
      { type: "forum", date, title: "t", inReplyTo: hash, parents: [], user: "u", body: utf8("") },
    ],
    [
      "a forum post that is a wiki page's bytes",
      { type: "forum", date, parents: [], user: "u", body: utf8("") },
    ],
  ];

  test.each(refused)("%s", (_, artifact) => {
    expect(() => formatArtifact(artifact)).toThrow(FormatError);
  });
});

describe("round trips", () => {
  const line = fc.string({ unit: "grapheme", maxLength: 12 }).filter((s) => !s.includes("\0"));
  const aHash = fc.stringMatching(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/).map(asHash);
  const time = fc.integer({ min: Date.UTC(1, 0), max: Date.UTC(9999, 0) });
  const segment = line.filter((s) => s !== "" && !s.includes("/") && !/^\.\.?$/.test(s));
  const path = fc
    .array(segment, { minLength: 1, maxLength: 3 })
    .map((parts) => parts.join("/"))
    .filter((name) => !/(_FOSSIL_|\.fslckout)/i.test(name));
  const wikiName = fc.stringMatching(/^[!-~]([ -~]?[!-~]){0,20}$/);
  const body = fc.uint8Array({ maxLength: 40 });
  const user = line.filter((s) => s !== "");
  const tagName = line.map((s) => `sym-${s}`);
  const action = fc.constantFrom("+", "*", "-");
  const hashes = fc.uniqueArray(aHash, { maxLength: 3 });
  /** Present or absent, never `undefined`. */
  const maybe = <T extends object>(shape: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
    fc.record(shape, { requiredKeys: [] });
  const byKey =
    <T>(key: (item: T) => string) =>
    (items: T[]) =>
      items.sort((a, b) => compareUtf8(key(a), key(b)));
  const tagsOn = (target: fc.Arbitrary<Hash | undefined>, actions: fc.Arbitrary<string> = action) =>
    fc
      .uniqueArray(
        fc
          .tuple(fc.record({ action: actions, name: tagName, target }), maybe({ value: line }))
          .map(([tag, value]) => ({ ...tag, ...value })),
        { selector: (tag) => `${tag.action}${tag.name}\0${tag.target ?? ""}`, minLength: 1, maxLength: 4 },
      )
      .map(byKey((tag) => `${tag.action}${tag.name}\0${tag.target ?? ""}`));
  const files = fc
    .uniqueArray(
      fc
        .tuple(
          fc.record({ name: path, hash: aHash, permission: fc.constantFrom("", "x", "l") }),
          maybe({ priorName: path }),
        )
        .map(([file, prior]) => ({ ...file, ...prior })),
      { selector: (file) => file.name, minLength: 1, maxLength: 5 },
    )
    .map(byKey((file) => file.name));
  const fieldKey = (field: { append: boolean; name: string }) => (field.append ? "+" : "") + field.name;
  const fields = fc
    .uniqueArray(fc.record({ name: fc.stringMatching(/^[a-z]{1,4}$/), append: fc.boolean(), value: line }), {
      selector: fieldKey,
      minLength: 1,
      maxLength: 4,
    })
    .map(byKey(fieldKey));
  const note = maybe({ comment: line, mimetype: line });
  const cherrypick = fc
    .tuple(fc.record({ backout: fc.boolean(), from: aHash }), maybe({ through: aHash }))
    .map(([pick, through]) => ({ ...pick, ...through }));
  const joined = (...parts: fc.Arbitrary<object>[]) =>
    fc.tuple(...parts).map((all) => Object.assign({}, ...all) as Artifact);
  const just = (type: string) => fc.record({ type: fc.constant(type) });

  const artifacts: Readonly<Record<Artifact["type"], fc.Arbitrary<Artifact>>> = {
    "check-in": joined(
      just("check-in"),
      fc.record({ date: time, files, parents: hashes, cherrypicks: fc.array(cherrypick, { maxLength: 2 }) }),
      fc.record({ tags: tagsOn(fc.option(aHash, { nil: undefined })) }),
      note,
      maybe({ baseline: aHash, user, filesChecksum: fc.constant(MD5) }),
    ),
    cluster: joined(
      just("cluster"),
      fc.record({ members: fc.uniqueArray(aHash, { minLength: 1 }).map((list) => list.sort()) }),
    ),
    control: joined(just("control"), fc.record({ date: time, tags: tagsOn(aHash), user })),
    wiki: joined(just("wiki"), fc.record({ date: time, title: wikiName, parents: hashes, user, body }), note),
    ticket: joined(just("ticket"), fc.record({ date: time, fields, ticketId: fc.constant(SHA1), user })),
    attachment: joined(
      just("attachment"),
      fc.record({ date: time, name: segment, target: wikiName }),
      note,
      maybe({ source: aHash, user }),
    ),
    technote: joined(
      just("technote"),
      fc.record({ date: time, eventDate: time, technoteId: fc.constant(SHA3), parents: hashes, body }),
      fc.record({ tags: tagsOn(fc.constant(undefined), fc.constant("+")) }),
      note,
      maybe({ user }),
    ),
    forum: joined(
      just("forum"),
      fc.record({ date: time, parents: fc.array(aHash, { maxLength: 1 }), user, body, threadRoot: aHash }),
      fc.oneof(maybe({ title: line }), maybe({ inReplyTo: aHash })),
      maybe({ mimetype: line }),
    ),
  };

  test.each(Object.entries(artifacts))("%s", (_, arbitrary) => {
    fc.assert(
      fc.property(arbitrary, (artifact) => {
        const bytes = formatArtifact(artifact);
        expect(parseArtifact(bytes)).toEqual(artifact);
        expect(formatArtifact(parseArtifact(bytes))).toEqual(bytes);
      }),
      { seed: 5, numRuns: 100 },
    );
  });
});
