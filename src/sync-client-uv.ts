/**
 * The asking side of a sync of unversioned files. The first request carries the hash of our catalog. A peer
 * that holds the same says nothing; another sends its catalog (`uvigot`) and whether it takes files. From
 * then on each round asks for what is newer there (`uvgimme`) and sends what is newer here (`uvfile`), within
 * the upload budget; where only the time differs, only the time travels. Of two versions the newer stays, of
 * two as old the one with the greater hash; a file that was deleted counts as a version.
 *
 * A file here stays as it is until the newer content has come and its hash is right (stock's client forgets
 * its own version when it asks for another's). What a peer offers and then does not send, sends wrong, or
 * sends without content, is named among the refused.
 *
 * It ends when nothing is left to ask for or to send, or after `SYNC_IDLE_ROUND_MAX_COUNT` rounds in a row in
 * which nothing came or went. Rules: fossil-facts B, C; Fossil `www/unvers.wiki`.
 */
import { EMPTY } from "./bytes.ts";
import { type EdgeSyncError, HashMismatchError, ProtocolError } from "./errors.ts";
import { type Hash, hashMatches } from "./hash.ts";
import {
  GIMME_MIN_COUNT,
  OFFER_MAX_COUNT,
  SYNC_IDLE_ROUND_MAX_COUNT,
  UPLOAD_BUDGET_BYTES,
} from "./limits.ts";
import type { Repo } from "./repo.ts";
import { ReceiveBatch } from "./repo-receive.ts";
import { Unversioned, type UnversionedEntry } from "./repo-unversioned.ts";
import type { ClientOptions } from "./sync-client.ts";
import { DataClient } from "./sync-client-data.ts";
import { type Card, UV_FLAG, type UvfileCard, type UvigotCard } from "./xfer-card.ts";
import type { MessageWriter } from "./xfer-format.ts";

export interface UnversionedGoals {
  readonly pull: boolean;
  readonly push: boolean;
}

export interface RefusedFile {
  readonly name: string;
  readonly error: EdgeSyncError;
}

type Sending = "content" | "time";

export class UnversionedClient extends DataClient {
  /** Files that the peer offered and that are not here all the same. */
  readonly refused: RefusedFile[] = [];
  /** The peer takes no files from us, though there are some that are newer here. */
  isRefusedByPeer = false;

  private readonly files: Unversioned;
  /** What to send, by name; which of it the peer has, its catalog tells. */
  private readonly toSend: Map<string, Sending>;
  private readonly wanted = new Set<string>();
  private mayPush = false;
  private hasCatalogComeOnce = false;
  private batch: ReceiveBatch | undefined;
  private sentNow = 0;
  private receivedNow = 0;
  private idleRounds = 0;

  constructor(
    repo: Repo,
    private readonly goals: UnversionedGoals,
    options: ClientOptions,
  ) {
    super(repo, options);
    this.files = new Unversioned(repo);
    const live = this.files.entries().filter(({ hash }) => hash !== undefined);
    this.toSend = new Map(live.map(({ name }) => [name, "content"]));
  }

  get wantedCount(): number {
    return this.wanted.size;
  }

  protected ask(out: MessageWriter): void {
    if (this.totals.rounds === 0) {
      out.card({ type: "pragma uv-hash", hash: this.files.catalogHash() as Hash });
      return;
    }
    let count = 0;
    for (const name of this.wanted) {
      if (++count > GIMME_MIN_COUNT) break;
      out.card({ type: "uvgimme", name });
    }
    this.sentNow = this.mayPush ? this.send(out) : 0;
  }

  protected take(card: Card): void {
    switch (card.type) {
      case "pragma uv-push-ok":
        this.mayPush = this.goals.push;
        this.hasCatalogComeOnce = true;
        break;
      case "pragma uv-pull-only":
        this.hasCatalogComeOnce = true;
        break;
      case "uvigot":
        this.consider(card);
        break;
      case "uvfile":
        this.receive(card);
        break;
      default:
    }
  }

  protected override settle(): void {
    this.batch?.finish();
    this.batch = undefined;
  }

  protected goesOn(): boolean {
    const { totals } = this;
    totals.artifactsSent += this.sentNow;
    totals.artifactsReceived += this.receivedNow;
    const isFirst = totals.rounds === 1;
    if (isFirst && !this.hasCatalogComeOnce) this.toSend.clear();
    if (!this.mayPush) {
      this.isRefusedByPeer ||= this.goals.push && this.toSend.size > 0;
      this.toSend.clear();
    }
    this.idleRounds = isFirst || this.sentNow + this.receivedNow > 0 ? 0 : this.idleRounds + 1;
    [this.sentNow, this.receivedNow] = [0, 0];
    if (this.toSend.size + this.wanted.size === 0) return false;
    if (this.idleRounds < SYNC_IDLE_ROUND_MAX_COUNT) return true;
    for (const name of this.wanted) this.refuse(name, "it offers that file and does not send it");
    return false;
  }

  /** Sends what is newer here, until the budget is used up. @returns how many files */
  private send(out: MessageWriter): number {
    const budget = this.repo.config.integer("max-upload", UPLOAD_BUDGET_BYTES);
    let count = 0;
    for (const [name, what] of this.toSend) {
      if (out.byteLength >= budget) break;
      this.toSend.delete(name);
      if (this.sendFile(out, name, what)) count++;
    }
    return count;
  }

  private sendFile(out: MessageWriter, name: string, what: Sending): boolean {
    const entry = this.files.entry(name);
    if (entry === undefined) return false;
    const { mtime, hash, size } = entry;
    if (hash === undefined) {
      out.card({ type: "uvfile", name, mtime, size: 0, flags: UV_FLAG.deleted });
      return true;
    }
    const card = { type: "uvfile", name, mtime, hash } as const;
    if (what === "time") {
      out.card({ ...card, size, flags: UV_FLAG.contentOmitted });
      return true;
    }
    const content = this.files.content(name);
    // Only its hash is known here: the peer has to get it elsewhere.
    if (content === undefined) return false;
    out.card({ ...card, size: content.length, flags: 0, ...(content.length > 0 && { content }) });
    return true;
  }

  /** The peer has this version of a file. */
  private consider({ name, mtime, hash }: UvigotCard): void {
    const { files, goals } = this;
    this.toSend.delete(name);
    switch (files.compare(name, mtime, hash)) {
      case "unknown":
        if (hash !== undefined) this.want(name);
        break;
      case "newer":
        if (hash !== undefined) this.want(name);
        else if (goals.pull) files.remove(name, mtime);
        break;
      case "touched":
        if (goals.pull) files.touch(name, mtime);
        break;
      case "touched-here":
        this.toSend.set(name, "time");
        break;
      case "older":
        this.toSend.set(name, "content");
        break;
      case "same":
    }
  }

  private want(name: string): void {
    if (this.goals.pull && this.wanted.size < OFFER_MAX_COUNT) this.wanted.add(name);
  }

  private receive(card: UvfileCard): void {
    const { name, mtime, hash } = card;
    if (!this.wanted.delete(name)) return;
    const relation = this.files.compare(name, mtime, hash);
    if (relation !== "unknown" && relation !== "newer" && relation !== "touched") return;
    if (hash === undefined) {
      this.files.remove(name, mtime, this.rcvid);
    } else if (relation === "touched") {
      this.files.touch(name, mtime);
    } else if (!this.store(card, hash)) {
      return;
    }
    this.receivedNow++;
  }

  private store({ name, mtime, size, flags, content }: UvfileCard, hash: Hash): boolean {
    if (content === undefined && (size > 0 || flags !== 0)) {
      this.refuse(name, "it has that file's hash and not its content");
      return false;
    }
    const bytes = content ?? EMPTY;
    if (!hashMatches(bytes, hash)) {
      const message = `unversioned file ${name} of ${bytes.length} bytes is not what its hash ${hash} says`;
      this.refused.push({ name, error: new HashMismatchError("hash-mismatch", message, { data: { hash } }) });
      return false;
    }
    const entry: UnversionedEntry & { readonly hash: Hash } = { name, mtime, hash, size: bytes.length };
    this.files.put(entry, bytes, this.rcvid);
    return true;
  }

  private refuse(name: string, why: string): void {
    const { peer } = this.options;
    const error = new ProtocolError("peer-unresolved", `${peer}: ${why}: ${name}`, { data: { name } });
    this.refused.push({ name, error });
  }

  private get rcvid(): number {
    this.batch ??= new ReceiveBatch(this.repo, { onWrong: "drop", ipaddr: this.options.peer });
    return this.batch.rcvid;
  }
}
