/**
 * Whether the disk has room for the commit of a checkout's transaction: for what the file grows by, and for a journal of all its pages.
 * SQLite finds out when it commits, and then the repository has committed already. Blocks are asked for by writing a file of
 * that size beside the database, which is removed again.
 */
import { rmSync, statSync, writeFileSync } from "node:fs";
import type { Checkout } from "./checkout-db.ts";
import { RepoError } from "./errors.ts";

/** Number and checksum beside each page of a journal. */
const JOURNAL_ROW_BYTES = 8;

/** @throws RepoError `disk-full` */
export function requireRoom({ database, db }: Checkout): void {
  const [[pages, pageBytes]] = db
    .prepare("SELECT page_count, page_size FROM pragma_page_count, pragma_page_size")
    .values<[number, number]>() as [[number, number]];
  const growth = Math.max(0, pages * pageBytes - statSync(database).size);
  const journal = (pages + 2) * (pageBytes + JOURNAL_ROW_BYTES);
  const probe = `${database}-room`;
  try {
    writeFileSync(probe, new Uint8Array(growth + journal));
  } catch (cause) {
    throw new RepoError("disk-full", `${database} cannot grow: the disk is full`, {
      hint: "free some space; nothing was half-written",
      cause,
    });
  } finally {
    rmSync(probe, { force: true });
  }
}
