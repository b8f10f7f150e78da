/**
 * Fetches what peers announce. An announcement is a claim: the peer has these artifacts. What is here already asks for
 * nothing; the rest is fetched from the peer that claims it, never from whoever answers first.
 *
 * Claims of one peer that come while it is asked, or waits to be, are met by one pull after it. An artifact that is
 * being fetched from one peer is not asked of another; when that pull has ended without it, the other's turn comes.
 *
 * A pull that brings nothing costs the peer one of its `FETCH_CREDIT_COUNT` credits, which come back one in
 * `FETCH_CREDIT_MS`; a peer without credit is not listened to. So a peer that lies costs a bounded number of pulls,
 * and whoever lies in another's name keeps us from that other for a while at most: polls heal it.
 */
import type { Clock } from "./clock.ts";
import type { Hash } from "./hash.ts";
import { FETCH_CREDIT_COUNT, FETCH_CREDIT_MS, GIMME_MIN_COUNT, PRESENCE_PEER_MAX_COUNT } from "./limits.ts";
import type { Logger } from "./log.ts";

/** What a pull came to. */
export interface FetchOutcome {
  readonly artifactsReceived: number;
}

export interface FetchOptions {
  /** Which of these are not here. */
  readonly missing: (hashes: readonly Hash[]) => readonly Hash[];
  /** Pulls from a peer, asking for these first, and for nothing else if they are all there is. Never rejects. */
  readonly pull: (peer: string, hints: readonly Hash[], isAll: boolean) => Promise<FetchOutcome>;
}

interface Credit {
  left: number;
  /** As of when. */
  at: number;
}

/** What a peer claims to have and is not here. */
interface Claim {
  readonly hashes: Set<Hash>;
  /** Whether it is all that the peer told of. */
  isAll: boolean;
}

type Claims = Map<string, Claim>;

export class LeafFetch {
  private readonly waiting: Claims = new Map();
  private readonly running: Claims = new Map();
  private readonly credits = new Map<string, Credit>();
  private behindSince: number | undefined;
  private pulls = 0;

  constructor(
    private readonly options: FetchOptions,
    private readonly deps: { readonly clock: Clock; readonly log: Logger },
  ) {}

  /** How long ago the first of the claims that are not met was heard, in milliseconds; 0 when all are. */
  get lagMs(): number {
    return this.behindSince === undefined ? 0 : this.deps.clock.monotonic() - this.behindSince;
  }

  /** Pulls made so far. */
  get pullCount(): number {
    return this.pulls;
  }

  /**
   * A peer claims to have these.
   *
   * @param isAll whether there is nothing else new
   * @returns whether something will be fetched
   */
  claim(peer: string, hashes: readonly Hash[], isAll: boolean): boolean {
    const missing = this.options.missing(hashes);
    if (missing.length === 0) return false;
    if (this.creditOf(peer) < 1) {
      this.deps.log.debug("not listening to a peer that promised too much", { peer });
      return false;
    }
    const claim = this.waiting.get(peer) ?? { hashes: new Set<Hash>(), isAll: true };
    claim.isAll &&= isAll;
    for (const hash of missing) {
      if (claim.hashes.size < GIMME_MIN_COUNT) claim.hashes.add(hash);
      else claim.isAll = false;
    }
    this.behindSince ??= this.deps.clock.monotonic();
    if (this.waiting.size + this.running.size === 0) {
      // Nothing can have come since it was looked for.
      void this.fetch(peer, [...claim.hashes], claim.isAll);
      return true;
    }
    this.waiting.set(peer, claim);
    this.pump();
    return true;
  }

  private pump(): void {
    for (const [peer, { hashes, isAll }] of [...this.waiting]) {
      if (this.running.has(peer)) continue;
      const missing = this.options.missing([...hashes]);
      if (missing.length > 0 && this.isUnderWay(missing)) continue;
      this.waiting.delete(peer);
      if (missing.length > 0) void this.fetch(peer, missing, isAll);
    }
    if (this.waiting.size + this.running.size === 0) this.behindSince = undefined;
  }

  /** Whether any of it is being fetched from somebody. */
  private isUnderWay(hashes: readonly Hash[]): boolean {
    return hashes.some((hash) => [...this.running.values()].some((claim) => claim.hashes.has(hash)));
  }

  private async fetch(peer: string, hints: readonly Hash[], isAll: boolean): Promise<void> {
    this.running.set(peer, { hashes: new Set(hints), isAll });
    this.pulls++;
    const { artifactsReceived } = await this.options.pull(peer, hints, isAll);
    this.running.delete(peer);
    if (artifactsReceived === 0 && this.options.missing(hints).length > 0) this.charge(peer);
    this.pump();
  }

  private creditOf(peer: string): number {
    const credit = this.credits.get(peer);
    if (credit === undefined) return FETCH_CREDIT_COUNT;
    const now = this.deps.clock.monotonic();
    credit.left = Math.min(FETCH_CREDIT_COUNT, credit.left + (now - credit.at) / FETCH_CREDIT_MS);
    credit.at = now;
    return credit.left;
  }

  private charge(peer: string): void {
    const left = this.creditOf(peer) - 1;
    this.credits.delete(peer);
    const [oldest] = this.credits.keys();
    if (this.credits.size >= PRESENCE_PEER_MAX_COUNT && oldest !== undefined) this.credits.delete(oldest);
    this.credits.set(peer, { left, at: this.deps.clock.monotonic() });
  }
}
