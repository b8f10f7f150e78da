import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { text, utf8 } from "../src/bytes.ts";
import { FormatError } from "../src/errors.ts";
import type { Hash } from "../src/hash.ts";
import type { Card, KnownCard, Sender } from "../src/xfer-card.ts";
import { CARD_TABLE, specOf } from "../src/xfer-card-table.ts";
import { MessageWriter } from "../src/xfer-format.ts";
import { CardReader } from "../src/xfer-parse.ts";
import { escapeToken, type TokenKind, unescapeToken } from "../src/xfer-token.ts";

const H1 = "a".repeat(40) as Hash;
const H2 = "0123456789abcdef".repeat(4) as Hash;

function write(...cards: KnownCard[]): string {
  const writer = new MessageWriter();
  for (const card of cards) writer.card(card);
  return text(writer.finish());
}

describe("exact bytes", () => {
  test.each<[KnownCard, string]>([
    [{ type: "error", text: "not authorized\tto\\write\n" }, "error not\\sauthorized\\tto\\\\write\\n\n"],
    [{ type: "igot", hash: H1, isPrivate: false }, `igot ${H1}\n`],
    [{ type: "igot", hash: H1, isPrivate: true }, `igot ${H1} 1\n`],
    [{ type: "file", hash: H1, size: 2, content: utf8("ab") }, `file ${H1} 2\nab`],
    [{ type: "file", hash: H1, source: H2, size: 0, content: utf8("") }, `file ${H1} ${H2} 0\n`],
    [{ type: "cfile", hash: H1, size: 9, storedSize: 2, content: utf8("ab") }, `cfile ${H1} 9 2\nab\n`],
    [{ type: "cfile", hash: H1, size: 9, storedSize: 2, content: utf8("a\n") }, `cfile ${H1} 9 2\na\n`],
    [{ type: "cfile", hash: H1, size: 0, storedSize: 0, content: utf8("") }, `cfile ${H1} 0 0\n`],
    [{ type: "config", table: "/user", size: 2, content: utf8("a\n") }, "config /user 2\na\n\n"],
    [{ type: "uvfile", name: "é", mtime: 5, size: 0, flags: 1 }, "uvfile é 5 - 0 1\n"],
    [{ type: "uvfile", name: "a", mtime: 5, hash: H1, size: 3, flags: 4 }, `uvfile a 5 ${H1} 3 4\n`],
    [{ type: "uvigot", name: "a", mtime: 5, size: 0 }, "uvigot a 5 - 0\n"],
    [{ type: "clone", protocol: 3, sequence: 1 }, "clone 3 1\n"],
    [{ type: "clone" }, "clone\n"],
    [{ type: "pragma uv-push-ok" }, "pragma uv-push-ok\n"],
    [{ type: "pragma ci-lock-fail", user: "a b", since: 7 }, "pragma ci-lock-fail a\\sb 7\n"],
  ])("%j", (card, bytes) => expect(write(card)).toBe(bytes));
});

describe("round trips", () => {
  test("every card of the table", () => {
    const text = fc.string({ unit: "grapheme", minLength: 1 });
    const hash = fc.constantFrom(H1, H2);
    const byKind: Record<TokenKind, fc.Arbitrary<unknown>> = {
      hash,
      "hash-or-dash": fc.option(hash, { nil: undefined }),
      size: fc.nat(0x7fffffff),
      seconds: fc.nat(Number.MAX_SAFE_INTEGER),
      number: fc.nat(0x7fffffff),
      "size-or-0": fc.nat(0x7fffffff),
      text,
      word: text.map(escapeToken).map((word) => word.replace(/\s/g, "_")),
      filename: fc.constantFrom("a", "dir/é.txt", "x.y/z"),
      one: fc.boolean(),
    };
    const cardOf = (type: keyof typeof CARD_TABLE): fc.Arbitrary<KnownCard> => {
      const spec = specOf(type)!;
      const fields = spec.fields as readonly { name: string; kind: TokenKind; optional?: true }[];
      const present = fc.nat(fields.filter((field) => field.optional).length);
      const values = fc.record(Object.fromEntries(fields.map(({ name, kind }) => [name, byKind[kind]])));
      return fc.tuple(values, present, fc.uint8Array({ maxLength: 40 })).map(([all, count, bytes]) => {
        const card: Record<string, unknown> = { type };
        let left = count;
        for (const { name, kind, optional } of fields) {
          if (optional && left-- <= 0) {
            if (kind === "one") card[name] = false;
            continue;
          }
          if (all[name] !== undefined) card[name] = all[name];
        }
        if (spec.payload === undefined) return card as unknown as KnownCard;
        for (const size of ["size", "storedSize"]) if (size in card) card[size] = bytes.length;
        const length = spec.payload.length(card as never);
        return (length === undefined ? card : { ...card, content: bytes }) as unknown as KnownCard;
      });
    };
    const types = Object.keys(CARD_TABLE) as (keyof typeof CARD_TABLE)[];
    for (const sender of ["client", "server"] as Sender[]) {
      const known = types.filter((type) => specOf(type)!.from.includes(sender));
      fc.assert(
        fc.property(fc.array(fc.oneof(...known.map(cardOf)), { maxLength: 12 }), (cards) => {
          const writer = new MessageWriter();
          for (const card of cards) writer.card(card);
          const message = writer.finish();
          expect(writer.byteLength).toBe(message.length);
          expect(writer.cardCount).toBe(cards.length);
          const read: Card[] = [...new CardReader(message, sender)];
          expect(JSON.stringify(read)).toBe(JSON.stringify(cards));
        }),
        { seed: 3, numRuns: 300 },
      );
    }
  });

  test("escapes", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..." \\\t\n\v\f\r\0snt0é\u{1f600}") }), (value) => {
        const token = escapeToken(value);
        expect(token).not.toMatch(/[ \t-\r\0]/);
        expect(unescapeToken(token)).toBe(value);
      }),
      { seed: 4, numRuns: 500 },
    );
    expect(unescapeToken("a\\qb\\")).toBe("aqb\\");
  });
});

describe("the writer", () => {
  test("forgets on clear", () => {
    const writer = new MessageWriter();
    writer.card({ type: "file", hash: H1, size: 2, content: utf8("ab") });
    writer.comment(" x");
    writer.clear();
    writer.card({ type: "private" });
    expect(text(writer.finish())).toBe("private\n");
    expect(writer.byteLength).toBe(8);
    expect(writer.cardCount).toBe(1);
  });

  test("passes on what it has, large payloads at once, and is the same message", () => {
    const big = new Uint8Array(3_000_000).fill(7);
    const cards: KnownCard[] = [
      ...Array.from(
        { length: 40 },
        (_, i): KnownCard => ({ type: "igot", hash: H1, isPrivate: i % 2 === 0 }),
      ),
      { type: "cfile", hash: H1, size: 9, storedSize: big.length, content: big },
      { type: "file", hash: H2, size: 700_000, content: big.subarray(0, 700_000) },
      { type: "file", hash: H2, size: 700_000, content: big.subarray(0, 700_000) },
      { type: "clone_seqno", sequence: 0 },
    ];
    const [plain, passing] = [new MessageWriter(), new MessageWriter()];
    const parts: Uint8Array[] = [];
    const sink = { write: (bytes: Uint8Array) => parts.push(bytes.slice()), clear: () => parts.splice(0) };
    passing.card({ type: "private" });
    passing.passTo(sink);
    for (const card of cards) passing.card(card);
    passing.clear();
    expect(parts).toEqual([]);
    for (const writer of [plain, passing]) for (const card of cards) writer.card(card);
    expect(passing.byteLength).toBe(plain.byteLength);
    expect(parts.some(({ length }) => length === big.length)).toBe(true);
    const rest = passing.finish();
    expect(rest.length).toBeLessThan(1_048_577);
    expect(Buffer.concat([...parts, rest]).equals(plain.finish())).toBe(true);
  });

  test("refuses what would come out as something else", () => {
    const bad: KnownCard[] = [
      { type: "cookie", value: "a b" },
      { type: "cookie", value: "" },
      { type: "uvgimme", name: "a\nb" },
      { type: "file", hash: H1, size: 3, content: utf8("ab") },
      { type: "uvfile", name: "a", mtime: 1, hash: H1, size: 2, flags: 0 },
    ];
    for (const card of bad) expect(() => write(card)).toThrow(FormatError);
  });
});
