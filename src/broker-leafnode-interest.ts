/**
 * What a leafnode is told of our interest: one LS+ for a subject however many want it, LS- when nobody does any
 * longer; for a queue group LS+ with the number of its members at each change. Told is what others want: not
 * the leafnode itself, and to a server that we joined not what another such server wants.
 */
import type { BrokerRouter, InterestListener, Subscriber, Subscription } from "./broker-router.ts";

export class LeafInterest implements InterestListener {
  /** By subject, or subject and queue: how many stand behind it. */
  private readonly told = new Map<string, number>();

  constructor(
    private readonly router: BrokerRouter,
    private readonly leaf: Subscriber,
    private readonly write: (line: string) => void,
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
    if (after <= 0) this.write(`LS- ${key}\r\n`);
    else if (queue !== "") this.write(`LS+ ${key} ${after}\r\n`);
    else if (before === 0) this.write(`LS+ ${key}\r\n`);
  }
}
