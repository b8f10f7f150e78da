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
 * Bounds. Pages are made one after the other, and no other is begun while those that are here, kept or about to be sent,
 * have more than `CLONE_PAGES_MAX_BYTES`; none is kept for longer than `CLONE_PAGE_MAX_AGE_MS`. Nothing is made
 * ahead of the second page, as stock's second request asks for the configuration too; nor while exchanges wait; nor
 * soon after a commit, as the next one would make it useless.
 *
 * Memory. Pages are large and live outside of the collector's heap, so they are not left to it: who is handed a page
 * says when its bytes have been copied (`release`), and its buffer holds the next page or is freed.
 */
import { statSync } from "node:fs";
import { latin1, utf8 } from "./bytes.ts";
import type { Clock, Timer } from "./clock.ts";
import { Db } from "./db.ts";
import type { Executor } from "./executor.ts";
import type { LeafJobs, ServeInput, ServeOutcome } from "./leaf-jobs.ts";
import { CLONE_PAGE_MAX_AGE_MS, CLONE_PAGES_MAX_BYTES } from "./limits.ts";
import { CONTENT_TYPES, decodeMessage } from "./xfer-message.ts";

export type Served = Extract<ServeOutcome, { kind: "served" }>;

export interface HandedReply extends Served {
  /** To be called once, when the body has been copied or sent; the body is gone then. */
  release(): void;
}

/** Requests longer than this are no requests for pages. */
const REQUEST_MAX_BYTES = 512;
/** Served pages up to this size are kept for other clients. */
const SHARED_MAX_BYTES = 8_000_000;
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
  served: Served | undefined;
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
  /** Those that may be handed out. */
  private readonly pages = new Map<string, Page>();
  /** Those that are in memory. */
  private readonly held = new Set<Page>();
  private making: Promise<unknown> = Promise.resolve();
  private onFreed: (() => void) | undefined;
  private readonly watched = new Map<string, Watched>();
  private spare: ArrayBuffer | undefined;
  private sweeper: Timer | undefined;

  constructor(
    private readonly readers: Executor<LeafJobs>,
    private readonly clock: Clock,
  ) {}

  /** Bytes that pages and the spare buffer take. */
  get heldBytes(): number {
    let sum = this.spare?.byteLength ?? 0;
    for (const { served } of this.held) sum += served?.body.buffer.byteLength ?? 0;
    return sum;
  }

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
    if (served.body.buffer.byteLength > SHARED_MAX_BYTES) this.drop(page);
    return {
      ...served,
      release: () => {
        page.userCount--;
        this.freeUnused(page);
        this.makeAhead(input.path, request, served.facts.nextPage ?? 0);
      },
    };
  }

  /** Lets everything go. */
  close(): void {
    this.sweeper?.cancel();
    for (const page of this.pages.values()) this.drop(page);
    this.spare = undefined;
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
      served: undefined,
      userCount: 0,
      isServed: false,
    };
    this.pages.set(key, page);
    void page.made.then((served) => {
      page.served = served;
      if (served !== undefined) this.held.add(page);
      // It may be of a newer state than its stamp says.
      if (served === undefined || this.look(path)?.stamp !== stamp) this.drop(page);
      this.makeSpace(page);
      this.sweepLater();
    });
    return page;
  }

  private makeInTurn(path: string, request: PageRequest): Promise<Served | undefined> {
    const made = this.making.then(async () => {
      this.makeSpace(undefined);
      while (this.heldBytes > CLONE_PAGES_MAX_BYTES) {
        await new Promise<void>((resolve) => {
          this.onFreed = resolve;
        });
      }
      return this.make(path, request);
    });
    this.making = made;
    return made;
  }

  private async make(path: string, { version, sequence }: PageRequest): Promise<Served | undefined> {
    const buffer = this.spare;
    this.spare = undefined;
    const input: ServeInput = {
      path,
      access: "read",
      contentType: CONTENT_TYPES.raw,
      cookie: undefined,
      address: "",
      arrivedAt: this.clock.now(),
      body: utf8(`pragma client-version ${version}\nclone 3 ${sequence}\n`),
      ...(buffer !== undefined && { buffer }),
    };
    try {
      const outcome = await this.readers.run("serve", input, buffer === undefined ? [] : [buffer]);
      const isPage = outcome.kind === "served" && outcome.facts.nextPage !== undefined;
      return isPage && outcome.facts.errors === 0 ? outcome : undefined;
    } catch {
      // Whoever asks for it is told why, when it is served like any other request.
      return undefined;
    }
  }

  /** Out of reach for further clients; its memory goes with the last one that has it. */
  private drop(page: Page): void {
    if (this.pages.get(page.key) === page) this.pages.delete(page.key);
    this.freeUnused(page);
  }

  private freeUnused(page: Page): void {
    if (page.userCount > 0 || page.served === undefined || this.pages.get(page.key) === page) return;
    const { buffer } = page.served.body;
    page.served = undefined;
    this.held.delete(page);
    if (buffer.byteLength > (this.spare?.byteLength ?? 0) && buffer.byteLength <= CLONE_PAGES_MAX_BYTES) {
      this.spare?.transfer(0);
      this.spare = buffer;
      this.makeSpace(undefined);
    } else {
      buffer.transfer(0);
    }
    this.onFreed?.();
  }

  /** Drops pages, those that have served first, until the rest is within the bound; `last` after all others. */
  private makeSpace(last: Page | undefined): void {
    const others = [...this.pages.values()].filter((page) => page !== last && page.served !== undefined);
    const order = [
      ...others.filter(({ isServed }) => isServed),
      ...others.filter(({ isServed }) => !isServed),
    ];
    for (const page of last === undefined ? order : [...order, last]) {
      if (this.heldBytes <= CLONE_PAGES_MAX_BYTES) return;
      this.spare?.transfer(0);
      this.spare = undefined;
      if (this.heldBytes > CLONE_PAGES_MAX_BYTES) this.drop(page);
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
      else this.spare = undefined;
    });
  }

  /** The state that a repository is in now; undefined when that cannot be told at once. */
  private look(path: string): Watched | undefined {
    const inode = statSync(path, { throwIfNoEntry: false })?.ino;
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
      const stamp = `${inode} ${watched.db.dataVersion()}`;
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
