/**
 * What a server says in a reply besides data: its version, its clock, messages, errors, cookies. Every
 * client hears these cards the same way. Rules: fossil-facts B, C.
 */
import { parseDate } from "./julian.ts";
import type { Repo } from "./repo.ts";
import { unknownCard } from "./sync-reply.ts";
import type { PeerVersion } from "./sync-version.ts";
import type { Card, CiLockFailPragma } from "./xfer-card.ts";

/** A reply takes time to arrive: a peer whose clock is behind by less than this is not behind. */
const SKEW_TOLERANCE_MS = 20_000;

export class ServerSaid {
  readonly messages: string[] = [];
  version: PeerVersion | undefined;
  /** The text of the first `error` card. What follows it does not count. */
  error: string | undefined;
  /** Somebody else is about to commit on the check-in that a lock was asked for. */
  lockHolder: Pick<CiLockFailPragma, "user" | "since"> | undefined;
  /** The peer wants no delta manifests. */
  avoidsDeltas = false;
  /** The peer's clock minus ours; 0 when it cannot be told apart. */
  skewMs = 0;

  constructor(
    private readonly repo: Repo,
    /** The peer as errors name it. */
    private readonly peer: string,
  ) {}

  /**
   * Notes what `card` says.
   *
   * @throws ProtocolError `peer-unknown-card`: it is no card of a reply
   */
  hear(card: Card): void {
    switch (card.type) {
      case "cookie":
        this.repo.config.set("cookie", card.value);
        break;
      case "message":
        this.messages.push(card.text);
        break;
      case "error":
        this.error = card.text;
        break;
      case "pragma server-version":
        this.version = { version: card.version, date: card.date ?? 0, time: card.time ?? 0 };
        break;
      case "pragma ci-lock-fail":
        this.lockHolder = { user: card.user, since: card.since };
        break;
      case "pragma avoid-delta-manifests":
        this.avoidsDeltas = true;
        break;
      case "comment":
        this.noteTime(card.text);
        break;
      case "unknown":
        if (!card.isBlank) throw unknownCard(this.peer, card.line);
        break;
      case "malformed":
        throw unknownCard(this.peer, card.keyword);
      default:
      // Data, or pragmas that the client has no use for.
    }
  }

  private noteTime(comment: string): void {
    const match = /^ timestamp (\S{19})/.exec(comment);
    if (match === null) return;
    const theirs = readTime(match[1]!);
    const skewMs = theirs === undefined ? 0 : theirs - this.repo.clock.now();
    this.skewMs = skewMs < 0 && skewMs > -SKEW_TOLERANCE_MS ? 0 : skewMs;
  }
}

function readTime(value: string): number | undefined {
  try {
    return parseDate(value);
  } catch {
    return undefined;
  }
}
