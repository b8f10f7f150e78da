/**
 * Bodies as stock Fossil 2.21 and 2.29 sent them, recorded on the wire (tests/golden/xfer). The extension
 * is the framing they were declared with. Each is read, every card understood, and written back to the byte.
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { concat } from "../src/bytes.ts";
import { sha1Hex } from "../src/hash.ts";
import type { Card } from "../src/xfer-card.ts";
import { MessageWriter } from "../src/xfer-format.ts";
import { CONTENT_TYPES, decodeMessage, type Framing } from "../src/xfer-message.ts";
import { CardReader } from "../src/xfer-parse.ts";

const FOLDER = join(import.meta.dir, "golden", "xfer");
const FILES = readdirSync(FOLDER).filter((name) => !name.endsWith(".cookie"));

function load(name: string): { message: Uint8Array; cards: Card[] } {
  const framing = name.split(".")[1] as Framing;
  const body = new Uint8Array(readFileSync(join(FOLDER, name)));
  const { message } = decodeMessage(body, CONTENT_TYPES[framing]);
  const cards = [...new CardReader(message, name.includes("request") ? "client" : "server")];
  return { message, cards };
}

function rewrite(cards: readonly Card[]): Uint8Array {
  const writer = new MessageWriter();
  for (const card of cards) {
    if (card.type === "comment") writer.comment(card.text);
    else if (card.type === "unknown" || card.type === "unknown-pragma" || card.type === "malformed") {
      throw new Error(`not understood: ${JSON.stringify(card)}`);
    } else writer.card(card);
  }
  expect(writer.byteLength).toBe(writer.finish().length);
  return writer.finish();
}

test("there are recordings", () => expect(FILES.length).toBeGreaterThan(20));

describe.each(FILES)("%s", (name) => {
  test("is read and written back to the byte", () => {
    const { message, cards } = load(name);
    expect(Buffer.compare(rewrite(cards), message)).toBe(0);
  });
});

const summary = (name: string) =>
  load(name).cards.map((card) => {
    const { content, ...rest } = card as Card & { content?: Uint8Array };
    return content === undefined ? rest : { ...rest, content: content.length };
  });

test("a clone page", () => {
  const cards = summary("clone-1-reply.raw");
  expect(cards[0]).toEqual({
    type: "pragma server-version",
    version: 22900,
    date: 20260821,
    time: 165942,
  });
  expect(cards.map((card) => card.type).slice(-3)).toEqual(["clone_seqno", "push", "comment"]);
  expect(cards[3] as unknown).toEqual({
    type: "cfile",
    hash: "fe84ad1c8d9e2a9ee1bc04ba5211ffdcf763e79d258b54f821c10ca0dd0a21af",
    source: "d3da3987629f1e810c51db73b18c3935cb33d6068e452a0cd30bacf210acd9dd",
    size: 692,
    storedSize: 31,
    content: 31,
  });
});

test("a push with private artifacts", () => {
  const types = summary("push-2-request.compressed").map((card) => card.type);
  expect(types.slice(0, 6)).toEqual([
    "login",
    "pragma client-version",
    "pragma send-private",
    "push",
    "private",
    "file",
  ]);
  expect(summary("push-2-request.compressed").at(-2) as unknown).toEqual({
    type: "igot",
    hash: "7eb0158036421a6f1a0ea29e0ca867016b55d7f172ae671e3abf04f83c3f9100",
    isPrivate: true,
  });
});

test("unversioned files, one deleted", () => {
  expect(summary("uvsync-2-request.compressed").slice(1, 3) as unknown).toEqual([
    { type: "uvfile", name: "u.txt", mtime: 1795377896, size: 0, flags: 1 },
    {
      type: "uvfile",
      name: "u2.txt",
      mtime: 1795377895,
      hash: "1969245ab6319c08f3e8f905d6bf8c4d29633bddc362dd5f90ed6af7b405616b",
      size: 4,
      flags: 0,
      content: 4,
    },
  ]);
});

test("the nonce of a login covers every byte after its line", () => {
  const { message } = load("push-1-request.compressed");
  const reader = new CardReader(message, "client");
  const card = reader.next();
  expect(card?.type === "login" && card.nonce).toBe(sha1Hex(message.subarray(reader.lineEnd)));
  expect(concat([message.subarray(reader.cardOffset, reader.lineEnd)]).at(-1)).toBe(10);
});

test("a login in a cookie covers the whole message", () => {
  const { message } = load("uvsync-2-request.compressed");
  const cookie = readFileSync(join(FOLDER, "uvsync-2-request.cookie"), "utf8");
  expect(cookie.split("+")[2]).toBe(sha1Hex(message));
});
