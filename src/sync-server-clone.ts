/**
 * Clones. The client asks for pages (`clone 3 N`) until told that there are no more (`clone_seqno 0`). A page
 * is a run of rids in the form they are stored in, so that sending costs no expansion; where it starts and
 * what the clone ends with is in N (`sync-server-cursor.ts`).
 *
 * A row travels as it is stored unless its delta's source is one the client will not get: private to a
 * client without private artifacts, shunned, or newer than the snapshot. It is then sent whole.
 *
 *     clone 3 N    pages of cfile cards, the reply uncompressed
 *     clone 2 N    the same with file cards
 *     clone        no pages: everything is announced, the client asks for it as in a pull
 *
 * Rules: fossil-facts B, C, G7, G31.
 */
import { free } from "./bytes.ts";
import { ARTIFACT_MAX_BYTES, DOWNLOAD_BUDGET_BYTES } from "./limits.ts";
import { type CloneRow, cloneRows, maxRid } from "./repo-serve.ts";
import { type ClonePosition, positionOf, sequenceAfter } from "./sync-server-cursor.ts";
import { ExchangeRefused, type ServerExchange } from "./sync-server-exchange.ts";
import { mayNotKnow } from "./sync-server-send.ts";
import { TEXTS } from "./sync-server-texts.ts";
import { offerFilesOnClone } from "./sync-server-uv.ts";
import type { CfileCard, CloneCard } from "./xfer-card.ts";
import { packBlob, unpackBlob } from "./zlib.ts";

const PAGED_PROTOCOL = 2;
const STORED_PROTOCOL = 3;
/** Content from this size on is freed once it is in the reply: the collector is slow to see memory outside its heap. */
const FREE_FROM_BYTES = 16_384;
/** Room for what goes into a reply beside the page. */
const PAGE_MARGIN_BYTES = 65_536;

export function handleClone(x: ServerExchange, { protocol, sequence }: CloneCard): void {
  if (!x.allows("clone")) {
    refuseClone(x);
    return;
  }
  offerFilesOnClone(x);
  if (protocol !== undefined && protocol >= PAGED_PROTOCOL && sequence !== undefined) {
    const asStored = protocol >= STORED_PROTOCOL;
    if (asStored) x.replyRaw();
    if (sequence <= 0) throw new ExchangeRefused("clone-sequence", TEXTS.cloneSequence, false);
    x.nextPage = sendPage(x, positionOf(sequence, maxRid(x.repo.db)), asStored);
    x.out.card({ type: "clone_seqno", sequence: x.nextPage });
  } else {
    x.isOldClone = true;
    x.isPull = true;
  }
  nameProject(x);
}

/** The client learns the project code all the same: it needs it to log in. */
function refuseClone(x: ServerExchange): void {
  x.out.clear();
  nameProject(x);
  x.out.card({ type: "error", text: TEXTS.noClone });
  x.errorCount++;
  x.isStopped = true;
}

function nameProject(x: ServerExchange): void {
  const { config } = x.repo;
  const serverCode = config.get("server-code") ?? "x";
  const projectCode = config.projectCode ?? "x";
  x.out.card({ type: "push", serverCode, projectCode: projectCode as never });
}

/** Writes one page and returns the sequence of the next, 0 when there is none. */
function sendPage(x: ServerExchange, position: ClonePosition, asStored: boolean): number {
  const { first, last, unit } = position;
  // Rids whose row has been passed over or sent; a page ends with a multiple of the unit.
  let mayEndAfter = first - 1;
  x.out.reserve(Math.min(x.budgetBytes, DOWNLOAD_BUDGET_BYTES) + PAGE_MARGIN_BYTES);
  for (const row of cloneRows(x.repo.db, first, last, x.wantsPrivate)) {
    const boundary = Math.floor((row.rid - 1) / unit) * unit;
    if (boundary > mayEndAfter) {
      mayEndAfter = boundary;
      if (x.isOverBudget) return sequenceAfter(boundary, position);
    }
    if (mayNotKnow(x, row.hash)) x.out.card({ type: "error", text: TEXTS.sha3 });
    else sendRow(x, row, last, asStored);
    if (row.bytes.length >= FREE_FROM_BYTES) free(row.bytes);
  }
  return 0;
}

function sendRow(x: ServerExchange, row: CloneRow, last: number, asStored: boolean): void {
  const card = reachesClient(x, row, last) ? verbatim(row) : expanded(x, row);
  if (card === undefined) return;
  if (row.isPrivate) x.out.card({ type: "private" });
  if (asStored) {
    x.out.card(card);
  } else {
    const { hash, source } = card;
    const content = unpackBlob(card.content, ARTIFACT_MAX_BYTES);
    x.out.card({ type: "file", hash, size: content.length, content, ...(source && { source }) });
    x.onRemote.add(row.rid);
  }
  x.artifactsSent++;
}

/** Whether the client will have what this row is a delta of, if it is one. */
function reachesClient(x: ServerExchange, { isPrivate, source }: CloneRow, last: number): boolean {
  if (source === undefined) return true;
  if (source.rid > last || source.isShunned) return false;
  return !source.isPrivate || (isPrivate && x.wantsPrivate);
}

function verbatim({ hash, size, bytes, source }: CloneRow): CfileCard {
  const storedSize = bytes.length;
  return { type: "cfile", hash, size, storedSize, content: bytes, ...(source && { source: source.hash }) };
}

function expanded(x: ServerExchange, { rid, hash }: CloneRow): CfileCard | undefined {
  const content = x.content.get(rid);
  if (content === undefined) return undefined;
  const bytes = packBlob(content);
  return { type: "cfile", hash, size: content.length, storedSize: bytes.length, content: bytes };
}
