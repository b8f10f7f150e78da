/** Peers for tests of the asking side: a repository served in memory, or one that says what it is told to. */
import { type Bytes, concat, text, utf8 } from "../src/bytes.ts";
import { EdgeSyncError } from "../src/errors.ts";
import { type Hash, hashContent } from "../src/hash.ts";
import type { Repo } from "../src/repo.ts";
import { type CheckInResult, commit } from "../src/repo-checkin.ts";
import { errorMessage, serveMessage } from "../src/sync-server.ts";
import type { Transport } from "../src/transport.ts";
import { MemoryTransport } from "../src/transport-memory.ts";
import type { KnownCard } from "../src/xfer-card.ts";
import { MessageWriter } from "../src/xfer-format.ts";
import { packBlob } from "../src/zlib.ts";
import type { MessagePart } from "./sync-exchange.ts";

export const PEER = "memory:peer";

export interface Watched {
  readonly transport: Transport;
  /** What was sent so far, payloads included, as text. */
  readonly requests: string[];
}

/** A repository behind a wire; it may have been opened for writing. `onRequest` comes before each answer. */
export function served(repo: Repo, onRequest?: (round: number) => void): Watched {
  const requests: string[] = [];
  const transport = new MemoryTransport(PEER, (message) => {
    requests.push(text(message));
    onRequest?.(requests.length);
    try {
      return serveMessage(repo, message, { address: "127.0.0.1", cookie: undefined }).message;
    } catch (error) {
      if (!(error instanceof EdgeSyncError)) throw error;
      return errorMessage(error, repo.clock);
    }
  });
  return { transport, requests };
}

export type Script = (request: string, round: number) => readonly MessagePart[];

/** A peer that answers whatever `script` gives. Rounds count from 1. */
export function scripted(script: Script): Watched {
  const requests: string[] = [];
  const transport = new MemoryTransport(PEER, (message) => {
    requests.push(text(message));
    const parts = script(requests.at(-1)!, requests.length);
    return concat(parts.map((part) => (typeof part === "string" ? utf8(part) : part)));
  });
  return { transport, requests };
}

export function cards(...list: readonly KnownCard[]): Bytes {
  const writer = new MessageWriter();
  for (const card of list) writer.card(card);
  return writer.finish();
}

export const sha3 = (content: Uint8Array | string): Hash =>
  hashContent(typeof content === "string" ? utf8(content) : content, "sha3-256");

/** A `cfile` card: the artifact, or a delta of `source`. The size is that of the artifact. */
export function cfile(
  hash: Hash,
  content: Uint8Array | string,
  delta?: { readonly source: Hash; readonly size: number },
): Bytes {
  const stored = packBlob(typeof content === "string" ? utf8(content) : content);
  const size = delta?.size ?? utf8Length(content);
  const source = delta === undefined ? {} : { source: delta.source };
  return cards({ type: "cfile", hash, ...source, size, storedSize: stored.length, content: stored });
}

export function file(hash: Hash, content: Uint8Array | string, source?: Hash): Bytes {
  const bytes = typeof content === "string" ? utf8(content) : content;
  return cards({ type: "file", hash, ...(source && { source }), size: bytes.length, content: bytes });
}

const utf8Length = (content: Uint8Array | string) =>
  typeof content === "string" ? utf8(content).length : content.length;

/** Lines that are worth a delta; `mark` tells versions apart. */
export const longText = (mark: string, lineCount = 40) =>
  Array.from({ length: lineCount }, (_, i) => `line ${i} of ${i === 7 ? mark : "many"}\n`).join("");

/** Check-ins of a few files each, the way a project grows: every file is edited again and again. */
export function grow(repo: Repo, from: number, count: number, isPrivate = false): CheckInResult[] {
  return Array.from({ length: count }, (_, i) => {
    const mark = `${isPrivate ? "private " : ""}version ${from + i}`;
    const edits = [
      { name: `file${(from + i) % 3}.txt`, content: utf8(longText(mark)) },
      { name: `new${from + i}.txt`, content: utf8(`${mark}\n`) },
    ];
    const options = isPrivate ? { isPrivate, branch: "private" } : {};
    return commit(repo, { edits, comment: mark, user: "ann", ...options });
  });
}

/** What is there with content: hashes, private ones marked. */
export function holdings({ db }: Repo): string[] {
  return db
    .prepare(
      `SELECT uuid || iif(rid IN (SELECT rid FROM private), ' private', '') FROM blob WHERE size>=0 ORDER BY uuid`,
    )
    .values<[string]>()
    .flat();
}

export function phantoms({ db }: Repo): string[] {
  return db.prepare("SELECT uuid FROM phantom JOIN blob USING(rid) ORDER BY uuid").values<[string]>().flat();
}
