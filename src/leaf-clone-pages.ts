/**
 * Pages of clones, made before they are asked for. A client that clones sends one request after the other, and each
 * but the first says only where the last page ended. So when a page has been handed out the next one is made, while
 * the client still reads; and clients that clone at the same time get the same pages.
 *
 * Which requests. Those that a stranger's clone consists of: a `client-version`, `clone 3 N`, a comment, nothing else;
 * no login, no cookie. Their answer depends on the repository alone.
 *
 * What holds. A page is handed out only while the repository is as it was when the page was made, told by the file's
 * inode and SQLite's `data_version`: what was made private, shunned or forbidden since is not sent. A connection of
 * the thread that serves I/O is asked for that; it waits for no lock.
 *
 * Bounds. Only pages that are in files are kept (`leaf-spill.ts`), `CLONE_PAGES_MAX_BYTES` of them, none for longer
 * than `CLONE_PAGE_MAX_AGE_MS`. They are made one after the other: each takes the memory of its largest artifact
 * several times while it is made. Nothing is made ahead of the second page, as stock's second request asks for the
 * configuration too; nor while exchanges wait; nor soon after a commit, as the next one would make it useless.
 */
import { statSync } from "node:fs";
import { type Bytes, latin1, utf8 } from "./bytes.ts";
import type { Clock, Timer } from "./clock.ts";
import { Db } from "./db.ts";
import type { Executor } from "./executor.ts";
import type { LeafJobs, ServeInput, ServeOutcome } from "./leaf-jobs.ts";
import { dropSpilled, type SpilledReply } from "./leaf-spill.ts";
import { CLONE_PAGE_MAX_AGE_MS, CLONE_PAGES_MAX_BYTES } from "./limits.ts";
import { CONTENT_TYPES, decodeMessage } from "./xfer-message.ts";

export type Served = Extract<ServeOutcome, { kind: "served" }>;

export interface HandedReply {
  readonly contentType: string;
  readonly facts: Served["facts"];
  readonly body: Bytes | SpilledReply;
  /** To be called once, when the body has been sent or will not be. */
  release(): void;
}

/** Requests longer than this are no requests for pages. */
const REQUEST_MAX_BYTES = 512;
/** Time since a commit after which the next one is not expected soon. */
const QUIET_MS = 1_000;
const REQUEST = /^pragma client-version (\d+(?: \d+ \d+)?)\nclone 3 (\d{1,10})\n(?:#[^\n]*\n)*$/;

interface PageRequest {
  readonly version: string;
  readonly sequence: number;
}

interface Page {
  readonly key: string;
  /** Of the repository when the page was asked for. */
  readonly stamp: string;
  readonly since: number;
  readonly made: Promise<Served | undefined>;
  file: SpilledReply | undefined;
  /** Clients that were handed it and have not released it. */
  userCount: number;
  isServed: boolean;
}

interface Watched {
  readonly db: Db;
  readonly inode: number;
  stamp: string;
  changedAt: number;
}

export class ClonePages {
  private readonly pages = new Map<string, Page>();
  private readonly watched = new Map<string, Watched>();
  private making: Promise<unknown> = Promise.resolve();
  private sweeper: Timer | undefined;

  constructor(
    private readonly readers: Executor<LeafJobs>,
    private readonly clock: Clock,
  ) {}

  /** The page that a request asks for; undefined when it has to be served like any other request. */
  async serve(input: Omit<ServeInput, "access">): Promise<HandedReply | undefined> {
    const request = pageRequestOf(input);
    const watched = request && this.look(input.path);
    if (request === undefined || watched === undefined) return undefined;
    const page = this.pageFor(input.path, request, watched.stamp);
    page.userCount++;
    const served = await page.made;
    if (served === undefined) return undefined;
    page.isServed = true;
    this.makeAhead(input.path, request, served.facts.nextPage ?? 0);
    const { contentType, facts, body } = served;
    const release = () => {
      page.userCount--;
      this.closeUnused(page);
    };
    return { contentType, facts, body: page.file ?? body, release };
  }

  /** Lets everything go. */
  close(): void {
    this.sweeper?.cancel();
    for (const page of [...this.pages.values()]) this.drop(page);
    for (const { db } of this.watched.values()) db.close();
    this.watched.clear();
  }

  private makeAhead(path: string, { version, sequence }: PageRequest, next: number): void {
    const watched = this.watched.get(path);
    if (sequence <= 1 || next <= 0 || watched === undefined || this.readers.pendingCount > 0) return;
    if (this.clock.monotonic() - watched.changedAt < QUIET_MS) return;
    this.pageFor(path, { version, sequence: next }, watched.stamp);
  }

  /** The page as it is kept, or in the making. */
  private pageFor(path: string, request: PageRequest, stamp: string): Page {
    const key = `${request.version} ${request.sequence} ${path}`;
    const known = this.pages.get(key);
    if (known !== undefined && known.stamp === stamp && !this.isOld(known)) return known;
    if (known !== undefined) this.drop(known);
    const page: Page = {
      key,
      stamp,
      since: this.clock.monotonic(),
      made: this.makeInTurn(path, request),
      file: undefined,
      userCount: 0,
      isServed: false,
    };
    this.pages.set(key, page);
    void page.made.then((served) => {
      page.file = served?.spilled;
      // It may be of a newer state than its stamp says.
      if (page.file === undefined || this.look(path)?.stamp !== stamp) this.drop(page);
      this.makeSpace(page);
      this.sweepLater();
    });
    return page;
  }

  private makeInTurn(path: string, request: PageRequest): Promise<Served | undefined> {
    const made = this.making.then(() => this.make(path, request));
    this.making = made;
    return made;
  }

  private async make(path: string, { version, sequence }: PageRequest): Promise<Served | undefined> {
    const input: ServeInput = {
      path,
      access: "read",
      contentType: CONTENT_TYPES.raw,
      cookie: undefined,
      address: "",
      arrivedAt: this.clock.now(),
      body: utf8(`pragma client-version ${version}\nclone 3 ${sequence}\n`),
      maySpill: true,
    };
    try {
      const outcome = await this.readers.run("serve", input);
      const isPage = outcome.kind === "served" && outcome.facts.nextPage !== undefined;
      return isPage && outcome.facts.errors === 0 ? outcome : undefined;
    } catch {
      // Whoever asks for it is told why, when it is served like any other request.
      return undefined;
    }
  }

  /** Out of reach for further clients; its file goes with the last one that reads it. */
  private drop(page: Page): void {
    if (this.pages.get(page.key) === page) this.pages.delete(page.key);
    this.closeUnused(page);
  }

  private closeUnused(page: Page): void {
    if (page.file === undefined || page.userCount > 0 || this.pages.get(page.key) === page) return;
    dropSpilled(page.file);
    page.file = undefined;
  }

  /** Drops pages until the rest is within the bound: those that were served first, `newest` last. */
  private makeSpace(newest: Page): void {
    const order = [...this.pages.values()].filter((page) => page !== newest && page.file !== undefined);
    order.sort((a, b) => Number(b.isServed) - Number(a.isServed));
    order.push(newest);
    let bytes = order.reduce((sum, page) => sum + (page.file?.length ?? 0), 0);
    for (const page of order) {
      if (bytes <= CLONE_PAGES_MAX_BYTES) return;
      bytes -= page.file?.length ?? 0;
      this.drop(page);
    }
  }

  private isOld(page: Page): boolean {
    return this.clock.monotonic() - page.since > CLONE_PAGE_MAX_AGE_MS;
  }

  private sweepLater(): void {
    this.sweeper ??= this.clock.after(CLONE_PAGE_MAX_AGE_MS, () => {
      this.sweeper = undefined;
      for (const page of [...this.pages.values()]) if (this.isOld(page)) this.drop(page);
      if (this.pages.size > 0) this.sweepLater();
    });
  }

  /** The state that a repository is in now; undefined when that cannot be told at once. */
  private look(path: string): Watched | undefined {
    const { ino: inode, mtimeMs = 0 } = statSync(path, { throwIfNoEntry: false }) ?? {};
    let watched = this.watched.get(path);
    if (watched !== undefined && watched.inode !== inode) {
      watched.db.close();
      this.watched.delete(path);
      watched = undefined;
    }
    try {
      if (watched === undefined) {
        if (inode === undefined) return undefined;
        const db = Db.open(path, { mode: "read", busyTimeoutMs: 0 });
        watched = { db, inode, stamp: "", changedAt: Number.NEGATIVE_INFINITY };
        this.watched.set(path, watched);
      }
      const version = watched.db.isImmutable ? mtimeMs : watched.db.dataVersion();
      const stamp = `${inode} ${version}`;
      if (stamp !== watched.stamp) {
        if (watched.stamp !== "") watched.changedAt = this.clock.monotonic();
        watched.stamp = stamp;
      }
      return watched;
    } catch {
      return undefined;
    }
  }
}

function pageRequestOf(input: Omit<ServeInput, "access">): PageRequest | undefined {
  if (input.cookie !== undefined || input.body.length > REQUEST_MAX_BYTES) return undefined;
  const limits = { messageMaxBytes: REQUEST_MAX_BYTES };
  let message: Uint8Array;
  try {
    ({ message } = decodeMessage(input.body, input.contentType, limits));
  } catch {
    return undefined;
  }
  const [, version, sequence] = REQUEST.exec(latin1(message)) ?? [];
  return version === undefined ? undefined : { version, sequence: Number(sequence) };
}
