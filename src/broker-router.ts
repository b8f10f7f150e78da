/**
 * Where messages go. A message reaches every plain subscription that matches and one member of each matching
 * queue group. A leafnode gets it once, however many of its subscriptions match, with the names of the queue
 * groups it was chosen for.
 *
 * Choice in a queue group: a random member among the clients of this broker; only where there is none a leafnode,
 * by the number of its members (weight). A message from a leafnode carries the groups that its side chose us
 * for, and goes to those groups only. It never goes back to the leafnode it came from, nor from one server that
 * we joined to another one that we joined. These are nats-server's rules.
 */
import type { MatchResult, QueueGroup } from "./broker-subscriptions.ts";
import { SubscriptionTrie } from "./broker-subscriptions.ts";
import type { NatsMessage } from "./nats-protocol.ts";
import { type Random, randomBelow } from "./random.ts";

const NO_QUEUES: readonly string[] = [];

/** The leafnodes that a message goes to, each by one subscription and with the queue groups it was chosen for. */
type Leaves = Map<Subscriber, [Subscription, string[]]>;

/** A party that subscribes and publishes. */
export interface Subscriber {
  readonly id: number;
  /** `hub-leaf`: a leafnode that joined us; `spoke-leaf`: a server that we joined. */
  readonly kind: "client" | "hub-leaf" | "spoke-leaf";
  /** Whether its own messages come back to it. */
  readonly echo: boolean;
  /** Whether no message may cross its connection now: it would arrive twice. */
  readonly isMuted: boolean;
  /** Passes a message on; `queues` counts for leafnodes only. */
  deliver(message: NatsMessage, subscription: Subscription, queues: readonly string[]): void;
}

export interface Subscription {
  readonly owner: Subscriber;
  readonly subject: string;
  readonly queue: string;
  readonly sid: string;
  /** Members of the queue group that stand behind it. */
  weight: number;
  /** Messages after which it ends; 0: never. */
  max: number;
  delivered: number;
}

/** Hears of every change of interest: this is how leafnodes learn what to send. */
export interface InterestListener {
  interestAdded(subscription: Subscription): void;
  interestRemoved(subscription: Subscription): void;
  weightChanged(subscription: Subscription, difference: number): void;
}

export class BrokerRouter {
  readonly trie = new SubscriptionTrie<Subscription>();
  readonly listeners = new Set<InterestListener>();
  inMessages = 0;
  inBytes = 0;

  constructor(private readonly random: Random) {}

  add(subscription: Subscription): void {
    this.trie.insert(subscription);
    for (const listener of this.listeners) listener.interestAdded(subscription);
  }

  remove(subscription: Subscription): void {
    if (!this.trie.remove(subscription)) return;
    for (const listener of this.listeners) listener.interestRemoved(subscription);
  }

  setWeight(subscription: Subscription, weight: number): void {
    const difference = weight - subscription.weight;
    subscription.weight = weight;
    for (const listener of this.listeners) listener.weightChanged(subscription, difference);
  }

  /**
   * Delivers `message`. `queues` limits the groups that get it (a message from a leafnode).
   * Returns whether anybody got it.
   */
  publish(source: Subscriber, message: NatsMessage, queues?: readonly string[]): boolean {
    this.inMessages++;
    this.inBytes += message.end - message.start;
    const { plain, groups } = this.trie.match(message.subject);
    let reached = false;
    let leaves: Leaves | undefined;
    // By index, and without closures: this runs for every message.
    for (let i = 0; i < plain.length; i++) {
      const subscription = plain[i]!;
      const { owner } = subscription;
      if (!mayReach(source, owner)) continue;
      reached = true;
      if (owner.kind === "client") owner.deliver(message, subscription, NO_QUEUES);
      else leaves = note(leaves, subscription);
    }
    for (let i = 0; i < groups.length; i++) {
      const group = groups[i]!;
      if (queues !== undefined && !queues.includes(group.queue)) continue;
      const chosen = this.choose(source, group);
      if (chosen === undefined) continue;
      reached = true;
      if (chosen.owner.kind === "client") chosen.owner.deliver(message, chosen, NO_QUEUES);
      else leaves = note(leaves, chosen);
    }
    if (leaves !== undefined) {
      for (const [leaf, [subscription, chosenFor]] of leaves) leaf.deliver(message, subscription, chosenFor);
    }
    return reached;
  }

  /** The subscription of `owner` that a message on `subject` would reach first. */
  subscriptionOf(owner: Subscriber, subject: string): Subscription | undefined {
    const result: MatchResult<Subscription> = this.trie.match(subject);
    const isHers = (subscription: Subscription) => subscription.owner === owner;
    return result.plain.find(isHers) ?? result.groups.flatMap((group) => group.members).find(isHers);
  }

  private choose(source: Subscriber, group: QueueGroup<Subscription>): Subscription | undefined {
    const { members } = group;
    // Nearly always all members are clients, and the first try holds.
    const tried = members[randomBelow(this.random, members.length)]!;
    if (tried.owner.kind === "client" && mayReach(source, tried.owner)) return tried;
    const able = members.filter((member) => mayReach(source, member.owner));
    const local = able.filter((member) => member.owner.kind === "client");
    if (local.length > 0) return local[randomBelow(this.random, local.length)];
    const total = able.reduce((sum, member) => sum + member.weight, 0);
    let at = randomBelow(this.random, total);
    return able.find((member) => {
      at -= member.weight;
      return at < 0;
    });
  }
}

function note(leaves: Leaves = new Map(), subscription: Subscription): Leaves {
  const { owner, queue } = subscription;
  const known = leaves.get(owner);
  if (known === undefined) leaves.set(owner, [subscription, queue === "" ? [] : [queue]]);
  else if (queue !== "") known[1].push(queue);
  return leaves;
}

function mayReach(source: Subscriber, target: Subscriber): boolean {
  if (source === target) return source.echo;
  if (source.isMuted || target.isMuted) return false;
  return !(source.kind === "spoke-leaf" && target.kind === "spoke-leaf");
}
