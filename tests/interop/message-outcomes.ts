/** What our server and stock's make of one message, each on a copy of its own of one repository. */
import { copyFileSync, rmSync } from "node:fs";
import { systemClock } from "../../src/clock.ts";
import { EdgeSyncError } from "../../src/errors.ts";
import { systemRandom } from "../../src/random.ts";
import { Repo } from "../../src/repo.ts";
import { Unversioned } from "../../src/repo-unversioned.ts";
import { errorMessage, serveMessage } from "../../src/sync-server.ts";
import { type Login, messageOf } from "../sync-exchange.ts";
import type { TempDir } from "../temp-dir.ts";
import { askStock, comparable } from "./ask-stock.ts";
import type { Part } from "./message-maker.ts";
import type { Stock } from "./stock.ts";
import { dumpTables } from "./tables.ts";

const open = (path: string, mode: "read" | "write") =>
  Repo.open(path, { mode, clock: systemClock, random: systemRandom });

export interface Outcome {
  readonly reply: string[];
  readonly tables: string[];
}

/** Not compared: where things came from, how they are stored, what is only an aid. */
const LEFT_OUT: ReadonlySet<string> = new Set(["rcvfrom", "delta", "unsent", "unversioned", "accesslog"]);

/** Settings that stock keeps for its pages and hooks. */
const STOCKS_OWN = /^name="(baseurl:|hook-embargo)/;

function tablesOf(repo: Repo): string[] {
  const now = Math.floor(systemClock.now() / 1000);
  const lines: string[] = [];
  for (const [table, rows] of dumpTables(repo.path, undefined, "milliseconds")) {
    if (LEFT_OUT.has(table) || table.startsWith("fx_")) continue;
    for (const row of rows) {
      if (table === "config" && STOCKS_OWN.test(row)) continue;
      const mtime = Number(/ mtime=(\d+)$/.exec(row)?.[1] ?? 0);
      const undated = mtime > now - 600 && mtime <= now ? row.replace(/ mtime=\d+$/, "") : row;
      lines.push(`${table} ${undated.replace(/ (content|rcvid|subscriberCode)=\S+/g, "")}`);
    }
  }
  const files = new Unversioned(repo);
  for (const entry of files.entries()) {
    lines.push(`unversioned ${JSON.stringify(entry)} ${Bun.hash(files.content(entry.name) ?? "none")}`);
  }
  const locks = repo.db.prepare("SELECT name, value FROM config WHERE name GLOB 'ci-lock-*'");
  for (const [name, value] of locks.values<[string, string]>()) lines.push(`lock ${name} ${value}`);
  return lines.sort();
}

let copies = 0;

/** @param base the repository that is copied */
export async function outcomes(
  stock: Stock,
  temp: TempDir,
  base: string,
  parts: readonly Part[],
  login: Login | undefined,
): Promise<{ ours: Outcome; theirs: Outcome }> {
  const paths = [temp.join(`ours${++copies}.fossil`), temp.join(`theirs${copies}.fossil`)] as const;
  for (const path of paths) copyFileSync(base, path);
  const ourRepo = open(paths[0], "write");
  try {
    const message = messageOf(ourRepo, parts, login);
    const theirReply = await askStock(stock, paths[1], message);
    const theirRepo = open(paths[1], "read");
    try {
      const ourReply = answer(ourRepo, message);
      return {
        ours: { reply: comparable(ourReply, ourRepo.content), tables: tablesOf(ourRepo) },
        theirs: { reply: comparable(theirReply.message, theirRepo.content), tables: tablesOf(theirRepo) },
      };
    } finally {
      theirRepo.close();
    }
  } finally {
    ourRepo.close();
    for (const path of paths) {
      for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(path + suffix, { force: true });
    }
  }
}

function answer(repo: Repo, message: Uint8Array): Uint8Array {
  try {
    return serveMessage(repo, message, { address: "127.0.0.1", cookie: undefined }).message;
  } catch (error) {
    if (!(error instanceof EdgeSyncError)) throw error;
    return errorMessage(error, repo.clock);
  }
}

/** What stock says amid the cards of a reply: warnings made for a page, and what it prints while debugging. */
const NOISE = /"type":"unknown","line":"(<\/?p\b|Skipping non-exportable setting|%%%% xfer\.err)/;

/**
 * Without what is known to differ for good reasons, told in docs/sync-protocol.md: stock offers private
 * artifacts that it does not have, its warnings are no cards, and it announces nobody an artifact that has
 * turned from private to public.
 */
export function alike(
  { ours, theirs }: { readonly ours: Outcome; readonly theirs: Outcome },
  privateHashes: readonly string[],
): { readonly ours: Outcome; readonly theirs: Outcome } {
  const isPhantom = (hash: string) => theirs.tables.includes(`phantom rid=<${hash}>`);
  const isOffer = (line: string) => /^\{"type":"igot".*"isPrivate":true\}$/.test(line);
  const isKept = (line: string) =>
    !NOISE.test(line) && !(isOffer(line) && isPhantom((JSON.parse(line) as { hash: string }).hash));
  const isPublished = (line: string) => privateHashes.some((hash) => line === `unclustered rid=<${hash}>`);
  return {
    ours: { ...ours, tables: ours.tables.filter((line) => !isPublished(line)) },
    theirs: { ...theirs, reply: theirs.reply.filter(isKept) },
  };
}
