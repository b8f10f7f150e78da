/**
 * Who may be served over HTTP at the same time. A visit is one exchange, from its headers until its reply has left the
 * socket; a clone is a series of them, of which only the first can be turned away by the limit on clones.
 *
 *     visits in all         ≤ visitMaxCount
 *     of one address        ≤ visitsPerAddressMaxCount
 *     pages of clones, of one address, when another clone begins
 *                           ≤ clonesPerAddressMaxCount, that one included
 *
 * The HTTP server does not say when a reply has left; it can be asked. It is, when a limit would turn somebody away.
 */
import { LimitError } from "./errors.ts";
import {
  HTTP_ADDRESS_CLONE_MAX_COUNT,
  HTTP_ADDRESS_VISIT_MAX_COUNT,
  HTTP_VISIT_MAX_COUNT,
} from "./limits.ts";

export interface AdmissionLimits {
  readonly visitMaxCount?: number;
  readonly visitsPerAddressMaxCount?: number;
  readonly clonesPerAddressMaxCount?: number;
}

/** Why somebody was turned away; values of a label in `/metrics`. */
export const REFUSALS = ["connections", "connections-per-address", "clones-per-address", "memory"] as const;
export type Refusal = (typeof REFUSALS)[number];

/** Whether an error says that somebody is turned away because too many are served. */
export function isRefusal(error: unknown): error is LimitError {
  return error instanceof LimitError && (REFUSALS as readonly string[]).includes(error.code);
}

export interface Visit {
  /**
   * Says that this exchange is for a page of a clone.
   *
   * @throws LimitError `clones-per-address` at the first page, when the address has as many under way as it may
   */
  beginPage(isFirst: boolean): void;
  /** The reply has been handed over; the visit ends when it has left. */
  answered(): void;
}

class OpenVisit implements Visit {
  isClone = false;
  isAnswered = false;

  constructor(
    private readonly admission: Admission,
    readonly address: string,
    readonly isOpen: () => boolean,
  ) {}

  beginPage(isFirst: boolean): void {
    if (isFirst) this.admission.checkClones(this.address);
    this.isClone = true;
  }

  answered(): void {
    this.isAnswered = true;
    this.isClone &&= this.isOpen();
  }
}

export class Admission {
  readonly refusedCounts = new Map<Refusal, number>(REFUSALS.map((refusal) => [refusal, 0]));
  private readonly limits: Required<AdmissionLimits>;
  private readonly visits = new Map<string, Set<OpenVisit>>();
  private count = 0;

  constructor(limits: AdmissionLimits = {}) {
    this.limits = {
      visitMaxCount: limits.visitMaxCount ?? HTTP_VISIT_MAX_COUNT,
      visitsPerAddressMaxCount: limits.visitsPerAddressMaxCount ?? HTTP_ADDRESS_VISIT_MAX_COUNT,
      clonesPerAddressMaxCount: limits.clonesPerAddressMaxCount ?? HTTP_ADDRESS_CLONE_MAX_COUNT,
    };
  }

  /**
   * @param isOpen whether the request's reply has yet to leave, or to be made
   * @throws LimitError `connections`, `connections-per-address`
   */
  enter(address: string, isOpen: () => boolean): Visit {
    const { visitMaxCount, visitsPerAddressMaxCount } = this.limits;
    if (this.count >= visitMaxCount) this.sweepAll();
    if (this.count >= visitMaxCount) {
      throw this.refused("connections", `the server has ${visitMaxCount} requests in hand; try again later`);
    }
    let own = this.visits.get(address);
    if (own !== undefined && own.size >= visitsPerAddressMaxCount) this.sweep(address, own);
    if (own !== undefined && own.size >= visitsPerAddressMaxCount) {
      throw this.refused(
        "connections-per-address",
        `too many connections from ${address}: ${visitsPerAddressMaxCount} at once are served; try again later`,
      );
    }
    own = this.visits.get(address) ?? new Set();
    this.visits.set(address, own);
    const visit = new OpenVisit(this, address, isOpen);
    own.add(visit);
    this.count++;
    return visit;
  }

  /** @throws LimitError `clones-per-address` */
  checkClones(address: string): void {
    const { clonesPerAddressMaxCount } = this.limits;
    const clones = () => [...(this.visits.get(address) ?? [])].filter(({ isClone }) => isClone).length;
    if (clones() < clonesPerAddressMaxCount) return;
    const own = this.visits.get(address);
    if (own !== undefined) this.sweep(address, own);
    if (clones() < clonesPerAddressMaxCount) return;
    throw this.refused(
      "clones-per-address",
      `too many clones from ${address}: ${clonesPerAddressMaxCount} at once are served; try again later`,
    );
  }

  /** Counts a refusal and makes the error that says so. */
  refused(reason: Refusal, message: string): LimitError {
    this.refusedCounts.set(reason, this.refusedCounts.get(reason)! + 1);
    return new LimitError(reason, message);
  }

  /** Exchanges whose reply has not left yet. */
  get openCount(): number {
    this.sweepAll();
    return this.count;
  }

  private sweepAll(): void {
    for (const [address, own] of this.visits) this.sweep(address, own);
  }

  private sweep(address: string, own: Set<OpenVisit>): void {
    for (const visit of own) {
      if (!visit.isAnswered || visit.isOpen()) continue;
      own.delete(visit);
      this.count--;
    }
    if (own.size === 0) this.visits.delete(address);
  }
}
