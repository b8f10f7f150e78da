/**
 * Peers that seem to have something else than this leaf, as far as they tell (`presence-message`), and whom to ask first.
 *
 * Some differ for ever: artifacts that are private, or shunned at one of them, count, too. A sync that finds nothing to
 * do settles a difference until either side changes; else such a peer would be asked again and again, and the
 * others never.
 */
import type { PeerFacts } from "./presence-message.ts";
import type { RepoPresence } from "./repo-presence.ts";

type Own = RepoPresence | undefined;

export class Suspects {
  /** True: they have just come, or have check-ins that are not here. */
  private readonly urgent = new Map<string, boolean>();
  /** By peer. */
  private readonly settled = new Map<string, string>();

  constructor(private readonly comparesFiles: boolean) {}

  get hasUrgent(): boolean {
    return [...this.urgent.values()].includes(true);
  }

  get count(): number {
    return this.urgent.size;
  }

  add(peerId: string, isUrgent: boolean): void {
    this.urgent.set(peerId, isUrgent || this.urgent.get(peerId) === true);
  }

  /** Takes the next one, the urgent ones first. */
  take(): string | undefined {
    const [next] = [...this.urgent].sort(([, a], [, b]) => Number(b) - Number(a));
    if (next !== undefined) this.urgent.delete(next[0]);
    return next?.[0];
  }

  forget(peerId: string): void {
    this.urgent.delete(peerId);
    this.settled.delete(peerId);
  }

  /** A sync between them found nothing to do. */
  settle(facts: PeerFacts, own: Own): void {
    this.settled.set(facts.peerId, difference(facts, own));
  }

  /** Whether a sync may find something to do. */
  mayMiss(facts: PeerFacts, own: Own): boolean {
    return this.differs(facts, own) && this.settled.get(facts.peerId) !== difference(facts, own);
  }

  private differs({ unclustered, unversioned, artifactCount }: PeerFacts, own: Own): boolean {
    // A bridge does not know how many there are, nor what files.
    const counts = artifactCount > 0 && artifactCount !== own?.artifactCount;
    const files = this.comparesFiles && unversioned !== undefined && unversioned !== own?.unversioned;
    return counts || files || unclustered !== own?.unclustered;
  }
}

function difference(facts: PeerFacts, own: Own): string {
  const told = (of: PeerFacts | Own) => `${of?.artifactCount} ${of?.unclustered} ${of?.unversioned}`;
  return `${told(facts)} ${told(own)}`;
}
