/**
 * What a leafnode is told of our interest: one LS+ for a subject however many want it, LS- when nobody does any
 * longer; for a queue group LS+ with the number of its members at each change. Told is what others want: not
 * the leafnode itself, and to a server that we joined not what another such server wants.
 */
import type { BrokerRouter, InterestListener, Subscriber, Subscription } from "./broker-router.ts";

/** How the subjects begin by which brokers recognise themselves. */
export const LOOP_PREFIX = "$LDS.";

export interface InterestPeer {
  readonly write: (line: string) => void;
  /** Whether it joined us, and wants this subject itself. */
  readonly wants: (subject: string) => boolean;
  /** What to do about a loop subject that it and others want. */
  readonly loops: {
    found(subject: string): void;
    /** Returns whether it was never told. */
    gone(subject: string): boolean;
  };
}

export class LeafInterest implements InterestListener {
  /** By subject, or subject and queue: how many stand behind it. */
  private readonly told = new Map<string, number>();

  constructor(
    private readonly router: BrokerRouter,
    private readonly leaf: Subscriber,
    private readonly peer: InterestPeer,
  ) {}

  /** Tells all there is, and from now on every change. */
  start(): void {
    for (const subscription of this.router.trie.all()) this.interestAdded(subscription);
    this.router.listeners.add(this);
  }

  stop(): void {
    this.router.listeners.delete(this);
  }

  interestAdded(subscription: Subscription): void {
    this.weightChanged(subscription, subscription.weight);
  }

  interestRemoved(subscription: Subscription): void {
    this.weightChanged(subscription, -subscription.weight);
  }

  weightChanged({ owner, subject, queue }: Subscription, difference: number): void {
    if (owner === this.leaf || (this.leaf.kind === "spoke-leaf" && owner.kind === "spoke-leaf")) return;
    const key = queue === "" ? subject : `${subject} ${queue}`;
    const before = this.told.get(key) ?? 0;
    const after = before + difference;
    if (after > 0) this.told.set(key, after);
    else this.told.delete(key);
    const { write, loops, wants } = this.peer;
    if (after <= 0) {
      if (!loops.gone(key)) write(`LS- ${key}\r\n`);
    } else if (queue !== "") {
      write(`LS+ ${key} ${after}\r\n`);
    } else if (before === 0) {
      if (subject.startsWith(LOOP_PREFIX) && wants(subject)) loops.found(subject);
      else write(`LS+ ${key}\r\n`);
    }
  }

  /** The leafnode does not want `subject` any longer: if others do, it may know. */
  unwanted(subject: string): void {
    if (this.peer.loops.gone(subject)) this.peer.write(`LS+ ${subject}\r\n`);
  }
}
