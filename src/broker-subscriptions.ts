/**
 * Who wants which subjects: a trie over tokens with a cache of results.
 *
 * A node holds the subscriptions that end there; its children are keyed by token, "*" and ">" among them. Matching
 * walks the subject's tokens and follows the literal child and the "*" child; a ">" child matches the rest. A
 * result lists the plain subscriptions and, by name, the queue groups, each of which gets one copy.
 *
 * The cache maps a published subject to its result, bounded in entries (it is emptied when full). A change of a
 * literal subject drops that entry; a change of a pattern drops every entry that it matches. Results are shared:
 * callers must not change them, and one held while subscriptions change stays as it was.
 */
import { NATS_MATCH_CACHE_COUNT } from "./limits.ts";
import { hasWildcard, subjectMatches } from "./nats-subject.ts";

/** What the trie needs of a subscription. `queue` is "" for a plain one. */
export interface Subscribed {
  readonly subject: string;
  readonly queue: string;
}

export interface QueueGroup<S> {
  readonly queue: string;
  readonly members: readonly S[];
}

export interface MatchResult<S> {
  readonly plain: readonly S[];
  readonly groups: readonly QueueGroup<S>[];
}

interface Node<S> {
  readonly children: Map<string, Node<S>>;
  readonly plain: Set<S>;
  readonly queues: Map<string, Set<S>>;
}

function newNode<S>(): Node<S> {
  return { children: new Map(), plain: new Set(), queues: new Map() };
}

export interface SubscriptionStats {
  readonly subscriptions: number;
  readonly cached: number;
  readonly inserts: number;
  readonly removes: number;
  readonly matches: number;
  readonly cacheHits: number;
}

export class SubscriptionTrie<S extends Subscribed> {
  private readonly root: Node<S> = newNode();
  private readonly cache = new Map<string, MatchResult<S>>();
  private counts = { subscriptions: 0, inserts: 0, removes: 0, matches: 0, cacheHits: 0 };

  get stats(): SubscriptionStats {
    return { ...this.counts, cached: this.cache.size };
  }

  /** Adds a subscription. Its subject must be a valid pattern. */
  insert(subscription: S): void {
    let node = this.root;
    for (const token of subscription.subject.split(".")) {
      let child = node.children.get(token);
      if (child === undefined) {
        child = newNode();
        node.children.set(token, child);
      }
      node = child;
    }
    if (subscription.queue === "") {
      node.plain.add(subscription);
    } else {
      const group = node.queues.get(subscription.queue);
      if (group === undefined) node.queues.set(subscription.queue, new Set([subscription]));
      else group.add(subscription);
    }
    this.counts.subscriptions++;
    this.counts.inserts++;
    this.forget(subscription.subject);
  }

  /** Takes a subscription out. Returns whether it was there. */
  remove(subscription: S): boolean {
    const path: [Node<S>, string][] = [];
    let node = this.root;
    for (const token of subscription.subject.split(".")) {
      const child = node.children.get(token);
      if (child === undefined) return false;
      path.push([node, token]);
      node = child;
    }
    const from = subscription.queue === "" ? node.plain : node.queues.get(subscription.queue);
    if (from?.delete(subscription) !== true) return false;
    if (from.size === 0) node.queues.delete(subscription.queue);
    for (const [parent, token] of path.reverse()) {
      const child = parent.children.get(token)!;
      if (child.children.size > 0 || child.plain.size > 0 || child.queues.size > 0) break;
      parent.children.delete(token);
    }
    this.counts.subscriptions--;
    this.counts.removes++;
    this.forget(subscription.subject);
    return true;
  }

  /** The subscriptions that a message on `subject` goes to. */
  match(subject: string): MatchResult<S> {
    this.counts.matches++;
    const known = this.cache.get(subject);
    if (known !== undefined) {
      this.counts.cacheHits++;
      return known;
    }
    const plain: S[] = [];
    const groups = new Map<string, S[]>();
    const collect = (node: Node<S>): void => {
      for (const subscription of node.plain) plain.push(subscription);
      for (const [queue, members] of node.queues) {
        const group = groups.get(queue);
        if (group === undefined) groups.set(queue, [...members]);
        else for (const member of members) group.push(member);
      }
    };
    let level: Node<S>[] = [this.root];
    for (const token of subject.split(".")) {
      const next: Node<S>[] = [];
      if (token === "") {
        // Not a subject: nothing matches it, a full wildcard neither.
        plain.length = 0;
        groups.clear();
        level = next;
        break;
      }
      for (const node of level) {
        const rest = node.children.get(">");
        if (rest !== undefined) collect(rest);
        const any = node.children.get("*");
        if (any !== undefined) next.push(any);
        const same = token === "*" || token === ">" ? undefined : node.children.get(token);
        if (same !== undefined) next.push(same);
      }
      level = next;
    }
    for (const node of level) collect(node);
    const result = { plain, groups: [...groups].map(([queue, members]) => ({ queue, members })) };
    if (this.cache.size >= NATS_MATCH_CACHE_COUNT) this.cache.clear();
    this.cache.set(subject, result);
    return result;
  }

  /** Every subscription, in no particular order. */
  *all(node: Node<S> = this.root): Generator<S> {
    yield* node.plain;
    for (const members of node.queues.values()) yield* members;
    for (const child of node.children.values()) yield* this.all(child);
  }

  private forget(pattern: string): void {
    if (!hasWildcard(pattern)) {
      this.cache.delete(pattern);
      return;
    }
    for (const subject of this.cache.keys()) {
      if (subjectMatches(pattern, subject)) this.cache.delete(subject);
    }
  }
}
