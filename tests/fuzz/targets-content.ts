/** Deltas, artifacts, links in texts. */
import { formatArtifact } from "../../src/artifact-format.ts";
import { parseArtifact } from "../../src/artifact-parse.ts";
import { decodeText, latin1, utf8 } from "../../src/bytes.ts";
import { deltaOutputSize, writeNumber } from "../../src/delta.ts";
import { applyDelta } from "../../src/delta-decode.ts";
import { createDelta } from "../../src/delta-encode.ts";
import { endsAfter, endsOf } from "../../src/delta-ends.ts";
import { FormatError, LimitError } from "../../src/errors.ts";
import { md5Hex } from "../../src/hash.ts";
import { markdownLinkTargets } from "../../src/markup-markdown-links.ts";
import { wikiLinkTargets } from "../../src/markup-wiki-links.ts";
import { ARTIFACT_CASES, MD5, SHA1, SHA3 } from "../artifact-cases.ts";
import { realisticPairs } from "../delta-pairs.ts";
import type { FuzzTarget } from "./fuzzer.ts";
import type { FuzzDice } from "./mutate.ts";

const SOURCE = utf8("the quick brown fox jumps over the lazy dog, and over it again and again\n".repeat(8));
/** A delta may make this much here, so that what is checked is the size and not the machine. */
const DELTA_MAX_BYTES = 4_000_000;

function deltaExamples(): Uint8Array[] {
  const targets = [SOURCE, SOURCE.subarray(100), utf8(`new ${latin1(SOURCE)} end`), utf8("short"), utf8("")];
  const made = targets.map((target) => createDelta(SOURCE, target));
  const larger = realisticPairs(3n, 0.05).map(({ source, target }) => createDelta(source, target));
  const bombs = ["3~~~~~\n3~~~~~@0,0;", `4000000\n${"80@0,".repeat(400)}0;`, "0\n0;", "5\n5:hello3;"];
  return [...made, ...larger.filter((delta) => delta.length < 8_000), ...bombs.map(utf8)];
}

/** Makes the declared size that which the commands make. */
function withItsSize(delta: Uint8Array): Uint8Array<ArrayBuffer> {
  const end = delta.indexOf(10);
  if (end < 0) return new Uint8Array(delta);
  let size = 0;
  for (const [, digits, command] of latin1(delta, end + 1, delta.length).matchAll(
    /([0-9A-Za-z_~]{1,5})([@:])/g,
  )) {
    let value = 0;
    for (const digit of digits!) value = value * 64 + Math.max(0, DIGITS.indexOf(digit));
    if (command !== undefined) size += value;
  }
  const head = new Uint8Array(6);
  const length = writeNumber(head, 0, size % 2 ** 32);
  return new Uint8Array([...head.subarray(0, length), ...delta.subarray(end)]);
}
const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";

function applies(delta: Uint8Array): string {
  const ends = attempt(() => endsAfter(endsOf(SOURCE), delta, DELTA_MAX_BYTES));
  const declared = deltaOutputSize(delta);
  const target = applyDelta(SOURCE, delta, DELTA_MAX_BYTES);
  if (target.length !== declared) throw new Error(`declared ${declared} bytes, made ${target.length}`);
  if (ends instanceof Error) throw new Error(`applied, and its ends are not: ${ends.message}`);
  if (ends === undefined) return "applied, its ends unknown";
  const real = endsOf(target);
  if (ends.size !== real.size || Buffer.compare(ends.bytes, real.bytes) !== 0)
    throw new Error("the ends of a target are not those that were foreseen");
  return target.length > SOURCE.length + delta.length ? "applied, larger" : "applied";
}

function attempt<T>(act: () => T): T | Error {
  try {
    return act();
  } catch (error) {
    if (error instanceof FormatError || error instanceof LimitError) return error;
    throw error;
  }
}

/** With the Z card that its bytes need. */
function withItsChecksum(input: Uint8Array): Uint8Array<ArrayBuffer> {
  const text = latin1(input);
  const at = text.lastIndexOf("\nZ ");
  const cards = at < 0 ? text : text.slice(0, at + 1);
  return new Uint8Array(Buffer.from(`${cards}Z ${md5Hex(Buffer.from(cards, "latin1"))}\n`, "latin1"));
}

function parses(input: Uint8Array): string {
  const artifact = parseArtifact(input);
  // What was understood can be written, and is understood alike.
  const written = attempt(() => formatArtifact(artifact));
  if (!(written instanceof Error)) {
    const again = attempt(() => parseArtifact(written));
    if (again instanceof Error)
      throw new Error(`${artifact.type}: written and not read again: ${again.message}`);
    if (again.type !== artifact.type) throw new Error(`a ${artifact.type} is read again as ${again.type}`);
  }
  return `${artifact.type} ${Object.values(artifact).filter((value) => Array.isArray(value) && value.length > 0).length}`;
}

const MARKUP = [
  "See [the page](/wiki?name=Page) and [ref][a] ![x](y 'z').\n\n[a]: /info/0123456789 \"t\"\n",
  "* one\n* two\n    1. three\n\n> quoted `code` **bold _it_** ~~gone~~\n\n|a|b|\n|-|-|\n|1|2|\n",
  "<a href='/x'>y</a> [0123456789abcdef|label] [wiki:Page] <verbatim>[x]</verbatim> [^1]\n\n[^1]: note [b](c)\n",
  "```\ncode [x](y)\n```\n\n    indented\n\n# Head [l](m)\n====\n<div>\n[in](div)\n</div>\n",
].map(utf8);
const MARKUP_WORDS =
  "[ ] ( ) ** * _ ` ``` ~~~ <a <div> </div> <!-- --> \\ [^ ]: ![ > - 1. | # === --- &amp; http:// \n\n \t".split(
    " ",
  );

export const CONTENT_TARGETS: readonly FuzzTarget[] = [
  {
    name: "delta",
    examples: deltaExamples,
    words: [
      "@",
      ",",
      ":",
      ";",
      "\n",
      "0@",
      "1@0,",
      "5:hello",
      "~~~~~",
      "3~~~~~",
      "40@0,",
      "0;",
      ":x",
      "7W@0,",
    ],
    repair: (input: Uint8Array, dice: FuzzDice) =>
      dice.chance(3) ? new Uint8Array(input) : withItsSize(input),
    run: applies,
  },
  {
    name: "artifact",
    examples: () => ARTIFACT_CASES.map(({ bytes }) => bytes).filter(({ length }) => length < 8_000),
    words: [
      ...[
        SHA1,
        SHA3,
        MD5,
        "2026-01-31T12:34:56.789",
        "a.c",
        "drh",
        "\\s",
        "\\n",
        "\\",
        "*",
        "+sym-x",
        "-x",
        "trunk",
      ],
      ..."A B C D E F G H I J K L M N P Q R T U W X Z".split(" ").map((letter) => `${letter} `),
      ...[
        "w",
        "x",
        "l",
        "a\\sb",
        "text/x-markdown",
        "W 5\nhello\n",
        "J status Open\n",
        "M 0123\n",
        "..",
        "/a",
        "a//b",
      ],
    ],
    repair: withItsChecksum,
    run: parses,
  },
  {
    name: "markup",
    examples: () => MARKUP,
    words: MARKUP_WORDS,
    run: (input) => {
      const text = decodeText(input);
      const found =
        markdownLinkTargets(text).length + wikiLinkTargets(text).length + wikiLinkTargets(text, true).length;
      return `links ${Math.min(found, 20)}`;
    },
  },
];
