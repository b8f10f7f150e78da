import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { utf8 } from "../src/bytes.ts";
import { parseConfigRow } from "../src/xfer-config-row.ts";

const COLUMNS = ["pw", "cap", "info", "photo"];

const parse = (
  line: string | Uint8Array,
  columns: readonly string[] = COLUMNS,
): Record<string, unknown> | undefined => {
  const row = parseConfigRow(typeof line === "string" ? utf8(line) : line, columns);
  return row && { mtime: row.mtime, key: row.key, ...Object.fromEntries(row.values) };
};

test("values of every kind", () => {
  expect(parse("12 'it''s' pw 'a  b\nc' cap NULL info 123 photo x'00fF'")).toEqual({
    mtime: 12,
    key: "it's",
    pw: "a  b\nc",
    cap: null,
    info: 123n,
    photo: Buffer.from([0, 255]),
  });
  expect(parse("0 '' pw '''' cap '' info null photo X''")).toEqual({
    mtime: 0,
    key: "",
    pw: "'",
    cap: "",
    info: null,
    photo: Buffer.alloc(0),
  });
  expect(parse("1 'k' info 9223372036854775807")).toEqual({ mtime: 1, key: "k", info: 2n ** 63n - 1n });
});

test("any white space", () => {
  expect(parse("\n 1\t'k'\v pw\f'x'\ncap \r'y'  \n")).toEqual({ mtime: 1, key: "k", pw: "x", cap: "y" });
});

test("columns that are not known, and a word without its partner, are passed over", () => {
  expect(parse("1 'k' later <>! pw 'x' 'other' 'y' cap")).toEqual({ mtime: 1, key: "k", pw: "x" });
  expect(parse("1 'k'")).toEqual({ mtime: 1, key: "k" });
});

test("ill-formed UTF-8 is kept", () => {
  const line = Buffer.concat([utf8("1 'k' pw '"), Uint8Array.of(0xff, 0x41), utf8("'")]);
  expect(parse(line)).toEqual({ mtime: 1, key: "k", pw: "\udcffA" });
});

test.each([
  "",
  "1",
  "x 'k'",
  "-1 'k'",
  "1.5 'k'",
  "9007199254740992 'k'",
  "1 k",
  "1 5",
  "1 NULL",
  "1 x'41'",
  "1 'k",
  "1 'k' pw 'x",
  "1 'k' pw x",
  "1 'k' pw 'x'cap 'y'",
  "1 'k'pw 'x'",
  "1 'k' pw 1.5",
  "1 'k' pw -1",
  "1 'k' pw 0x10",
  "1 'k' pw 9223372036854775808",
  "1 'k' pw x'0'",
  "1 'k' pw x'0g'",
  "1 'k' pw (SELECT(1))",
  "1 'k' pw 'x\0y'",
  "1 'k' pw);DROP 'x'",
  "1 'k' a_b 'x'",
  "1 'k' pw 'x' pw 'y'",
])("%j is no row", (line) => {
  expect(parse(line)).toBeUndefined();
});

test("whatever comes, nothing but a row or nothing comes out; what is written is read", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      parse(bytes);
      parse(Buffer.concat([utf8("1 'k' pw "), bytes]));
    }),
    { seed: 1, numRuns: 500 },
  );
  const quote = (text: string) => `'${text.replaceAll("'", "''")}'`;
  const text = fc.string({ unit: "grapheme", maxLength: 20 }).filter((value) => !value.includes("\0"));
  fc.assert(
    fc.property(text, text, (key, value) => {
      expect(parse(`7 ${quote(key)} pw ${quote(value)}`)).toEqual({ mtime: 7, key, pw: value });
    }),
    { seed: 2, numRuns: 300 },
  );
});

describe("large values", () => {
  test("cost in proportion to their size", () => {
    const value = "x y'".repeat(500_000);
    expect(parse(`1 'k' pw '${value.replaceAll("'", "''")}'`)).toEqual({ mtime: 1, key: "k", pw: value });
  });
});
