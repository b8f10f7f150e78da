/**
 * Whether somebody beyond a leafnode wants one subject, as it is written and in no queue group. It tells whether a broker
 * that wants a subject of its own is connected to this one, by whatever way.
 */
import type { BrokerRouter, InterestListener, Subscription } from "./broker-router.ts";

export class BrokerBeyond implements InterestListener {
  /** Called whenever the last one wants it no longer. */
  onGone: () => void = () => {};
  private count = 0;

  /** Watches until `stop`. */
  constructor(
    private readonly router: BrokerRouter,
    private readonly subject: string,
  ) {
    for (const subscription of router.trie.match(subject).plain) this.interestAdded(subscription);
    router.listeners.add(this);
  }

  get isWanted(): boolean {
    return this.count > 0;
  }

  stop(): void {
    this.router.listeners.delete(this);
  }

  interestAdded(subscription: Subscription): void {
    if (this.isOfIt(subscription)) this.count++;
  }

  interestRemoved(subscription: Subscription): void {
    if (this.isOfIt(subscription) && --this.count === 0) this.onGone();
  }

  weightChanged(): void {}

  private isOfIt({ owner, subject, queue }: Subscription): boolean {
    return owner.kind !== "client" && subject === this.subject && queue === "";
  }
}
