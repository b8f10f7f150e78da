import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { decodeRaw, rawOf } from "../src/artifact-escape.ts";
import { formatArtifact } from "../src/artifact-format.ts";
import { looksLikeArtifact, parseArtifact } from "../src/artifact-parse.ts";
import type { Artifact } from "../src/artifact-types.ts";
import { compareUtf8 } from "../src/bytes.ts";
import { FormatError, LimitError } from "../src/errors.ts";
import { MANIFEST_MAX_BYTES } from "../src/limits.ts";
import { ARTIFACT_CASES, SHA1, SHA3, withZ } from "./artifact-cases.ts";

const raw = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));
const parsed = (...lines: readonly string[]) => parseArtifact(raw(withZ(...lines)));

/** The parser's verdict. Any other error than the declared ones fails the test. */
function accepts(bytes: Uint8Array): boolean {
  try {
    parseArtifact(bytes);
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    expect((error as FormatError).code).toMatch(/^artifact-/);
    return false;
  }
}

describe("the matrix", () => {
  test("has a name for each case", () => {
    const names = ARTIFACT_CASES.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  test("is accepted and refused as stock does", () => {
    for (const { name, bytes, valid } of ARTIFACT_CASES) {
      expect({ name, valid: accepts(bytes) }).toEqual({ name, valid });
      // The prefilter may let through what the parser refuses, never the other way round.
      if (valid) expect({ name, looks: looksLikeArtifact(bytes) }).toEqual({ name, looks: true });
    }
  });
});

describe("what is kept", () => {
  test("a signed check-in says so, and is otherwise as its plain form", () => {
    const plain = ARTIFACT_CASES.find(({ name }) => name === "check-in")!;
    const signed = ARTIFACT_CASES.find(({ name }) => name === "PGP signed")!;
    const artifact = parseArtifact(plain.bytes);
    expect(artifact).not.toHaveProperty("signed");
    expect(parseArtifact(signed.bytes)).toEqual({ ...artifact, signed: true } as Artifact);
  });

  test("absent cards are absent fields", () => {
    expect(parsed("C x", "D 1970-01-01T00:00:01.5")).toEqual({
      type: "check-in",
      comment: "x",
      date: 1500,
      files: [],
      parents: [],
      cherrypicks: [],
      tags: [],
    });
  });

  test("bodies are bytes, NUL and ill-formed UTF-8 included, and no view of the input", () => {
    const bytes = raw(withZ("D 2026-01-01", "L p", "U u", "W 5\n\x00\xff\nZ "));
    const { body } = parseArtifact(bytes) as { body: Uint8Array };
    bytes.fill(0);
    expect(body).toEqual(raw("\x00\xff\nZ "));
  });

  test("hashes come in lower case, ids as written", () => {
    const upper = SHA1.toUpperCase();
    expect(parsed("C x", "D 2026-01-01", `P ${upper}`)).toMatchObject({ parents: [SHA1] });
    expect(parsed("D 2026-01-01", "J a b", `K ${upper}`, "U u")).toMatchObject({ ticketId: upper });
  });

  test("ill-formed UTF-8 in names stays distinct and comes back", () => {
    const bytes = raw(withZ("D 2026-01-31T00:00:00.000", `F \xe9 ${SHA1}`, `F \xea ${SHA3}`));
    const artifact = parseArtifact(bytes);
    expect(artifact).toMatchObject({ files: [{ name: "\udce9" }, { name: "\udcea" }] });
    expect(formatArtifact(artifact)).toEqual(bytes);
  });
});

test("names in any encoding compare as their bytes do", () => {
  const name = fc.oneof(
    fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
    fc.string({ unit: "binary", maxLength: 4 }).map((text) => Buffer.from(text).toString("latin1")),
  );
  fc.assert(
    fc.property(name, name, (a, b) => {
      expect(rawOf(decodeRaw(a))).toBe(a);
      const order = compareUtf8(decodeRaw(a), decodeRaw(b));
      expect(Math.sign(order)).toBe(a < b ? -1 : a > b ? 1 : 0);
    }),
    { seed: 6, numRuns: 3000 },
  );
});

describe("hostile input", () => {
  const valid = ARTIFACT_CASES.filter((each) => each.valid).map(({ bytes }) => bytes);

  test("damage of any kind, even under a correct Z card, gives a declared error or an artifact", () => {
    const damaged = fc
      .tuple(fc.constantFrom(...valid), fc.nat(), fc.nat(8), fc.uint8Array({ maxLength: 8 }), fc.boolean())
      .map(([bytes, at, cut, patch, repair]) => {
        const start = at % bytes.length;
        const parts = [bytes.subarray(0, start), patch, bytes.subarray(start + cut)];
        const changed = Buffer.concat(parts).toString("latin1");
        const cards = changed.slice(0, -35);
        return raw(repair && cards.endsWith("\n") ? withZ(...cards.slice(0, -1).split("\n")) : changed);
      });
    let accepted = 0;
    fc.assert(
      fc.property(damaged, (bytes) => {
        if (accepts(bytes)) {
          accepted++;
          expect(looksLikeArtifact(bytes)).toBe(true);
        }
      }),
      { seed: 3, numRuns: 2000 },
    );
    expect(accepted).toBeGreaterThan(100);
  });

  test("random bytes and random cards give a declared error", () => {
    const card = fc
      .tuple(
        fc.constantFrom(..."ABCDEFGHIJKLMNPQRTUWZ"),
        fc.array(fc.constantFrom(SHA1, "x", "", "*", "1", "\0")),
      )
      .map(([letter, tokens]) => [letter, ...tokens].join(" "));
    const cards = fc.array(card, { maxLength: 6 }).map((lines) => raw(withZ(...lines.toSorted())));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), cards), (bytes) => {
        accepts(bytes);
      }),
      { seed: 4, numRuns: 2000 },
    );
  });

  test("an artifact past the size limit is refused before it is read", () => {
    const huge = new Uint8Array(MANIFEST_MAX_BYTES + 1);
    expect(() => parseArtifact(huge)).toThrow(LimitError);
    expect(() => parseArtifact(huge.subarray(1))).toThrow(FormatError);
  });

  test("many cards and long tokens cost no stack", () => {
    const lines = Array.from({ length: 100_000 }, (_, i) => `T +x${String(i).padStart(6, "0")} *`);
    const artifact = parsed(`C ${"\\s".repeat(500_000)}`, "D 2026-01-01", ...lines);
    expect(artifact).toMatchObject({ type: "check-in", comment: " ".repeat(500_000) });
  });
});
