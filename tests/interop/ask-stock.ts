/** Asks stock what it would answer to a message, and makes answers comparable. */
import { latin1, text, utf8 } from "../../src/bytes.ts";
import { applyDelta } from "../../src/delta-decode.ts";
import type { Hash } from "../../src/hash.ts";
import { sha1Hex } from "../../src/hash.ts";
import type { Content } from "../../src/repo-content.ts";
import type { Card } from "../../src/xfer-card.ts";
import { CardReader } from "../../src/xfer-parse.ts";
import type { Stock } from "./stock.ts";

export interface StockReply {
  readonly status: string;
  readonly contentType: string;
  readonly message: Uint8Array;
}

/** Hands one request to `fossil http`, uncompressed. */
export async function askStock(
  stock: Stock,
  repository: string,
  message: Uint8Array,
  cookie?: string,
): Promise<StockReply> {
  const head = [
    "POST / HTTP/1.0",
    "Host: localhost",
    "User-Agent: Fossil/2.29",
    ...(cookie === undefined ? [] : [`Cookie: ${cookie}`]),
    "Content-Type: application/x-fossil-debug",
    `Content-Length: ${message.length}`,
  ];
  const input = Buffer.concat([utf8(`${head.join("\r\n")}\r\n\r\n`), message]);
  const args = ["http", "--nojail", "--ipaddr", "127.0.0.1", repository];
  const { bytes } = await stock.run(args, { input });
  const end = Buffer.from(bytes).indexOf("\r\n\r\n");
  if (end < 0) throw new Error(`no HTTP reply: ${text(bytes)}`);
  const lines = latin1(bytes, 0, end).split("\r\n");
  const contentType =
    lines
      .find((line) => /^content-type:/i.test(line))
      ?.slice(13)
      .trim() ?? "";
  return { status: lines[0]!.split(" ").slice(1).join(" "), contentType, message: bytes.subarray(end + 4) };
}

/**
 * The cards of a reply in an order of their own, one line each. Left out: versions, codes of the server,
 * the time. Of a delta only what it makes counts: its size and bytes are the encoder's affair.
 */
export function comparable(message: Uint8Array, content: Content): string[] {
  const lines: string[] = [];
  for (const card of new CardReader(message, "server")) {
    const line = comparableCard(card, content);
    if (line !== undefined) lines.push(line);
  }
  return lines.sort();
}

function comparableCard(card: Card, content: Content): string | undefined {
  switch (card.type) {
    case "pragma server-version":
      return "pragma server-version";
    case "comment":
      return card.text.replace(/timestamp \S+/, "timestamp");
    case "push":
      return `push ${card.projectCode}`;
    case "file": {
      const { hash, source } = card;
      const bytes = source === undefined ? card.content : applyDelta(sourceOf(content, source), card.content);
      return `file ${hash} ${source ?? ""} ${sha1Hex(bytes)}`;
    }
    case "igot": {
      // Stock offers what waits for the source of its delta (docs/sync-protocol.md).
      const rid = content.ridOf(card.hash);
      const waits = rid !== undefined && !content.isPhantom(rid) && !content.isAvailable(rid);
      return waits ? undefined : JSON.stringify(card);
    }
    case "cfile":
    case "config":
    case "uvfile": {
      const { content: bytes, ...rest } = card;
      return `${JSON.stringify(rest)} ${bytes === undefined ? "" : sha1Hex(bytes)}`;
    }
    default:
      return JSON.stringify(card);
  }
}

function sourceOf(content: Content, hash: Hash): Uint8Array {
  const bytes = content.getByHash(hash);
  if (bytes === undefined) throw new Error(`a delta of ${hash}, which is not here`);
  return bytes;
}
