/**
 * Circles of leafnodes, as one connection sees them. Every broker wants a subject of its own, "$LDS.<id>", and leafnodes
 * pass it on like any other interest.
 *
 * Who hears its own subject from somebody else is in a circle, and cuts it: it says so, closes, and tries
 * again much later. Only one connection is cut: when another one just was, what we hear may be news from before
 * the cut, and we look again when things have settled.
 *
 * nats-server cuts all at once. One that joined two of us, which meet further up, hears of itself from both in
 * the same moment, and is alone for half a minute, again and again. Therefore we do not tell a leafnode at once that
 * somebody else wants a loop subject that it wants, too: while the circle is new no message crosses the
 * connection, so that nothing is doubled, and after a while left to chance the first of us tells. The leafnode cuts
 * that connection, the others hear that the circle is gone, and go on. Where the circle is old, or only
 * seems to be one because news is late, messages go on meanwhile, and the wait is longer. A leafnode that does
 * not close when told is closed.
 */
import type { BrokerState } from "./broker-state.ts";
import type { Timer } from "./clock.ts";
import { NATS_ERROR } from "./nats-protocol.ts";

const SETTLE_MS = 2_000;
/** A circle is new when some leafnode of this broker joined so lately. */
const NEW_MS = 2_000;
const TELL_MS_MIN = 50;
const TELL_MS_MAX = 1_000;
const CUT_TEXT = `${NATS_ERROR.loop} for leafnode account="$G". Delaying attempt to reconnect for 30s`;

interface Circle {
  /** Whether the leafnode knows that others want it, too. */
  isTold: boolean;
  timer: Timer;
}

export interface LoopActions {
  /** Says `text` as an error and closes. */
  readonly cut: (text: string) => void;
  /** Tells the other side that `subject` is wanted. */
  readonly tell: (subject: string) => void;
}

export class LoopWatch {
  /** No message may cross the connection now. */
  isMuted = false;
  /** The peer knows somebody who wants our own subject. */
  private hearsItself = false;
  private settling: Timer | undefined;
  /** Loop subjects of both sides: of the leafnode's and of others. */
  private readonly circles = new Map<string, Circle>();

  constructor(
    private readonly state: BrokerState,
    private readonly actions: LoopActions,
  ) {}

  /** The peer wants our own subject. */
  heard(): void {
    const { clock } = this.state.deps;
    const sinceCutMs = clock.monotonic() - this.state.loopCutAtMs;
    this.hearsItself = true;
    if (sinceCutMs < SETTLE_MS) {
      this.settling?.cancel();
      this.settling = clock.after(SETTLE_MS - sinceCutMs, () => {
        if (this.hearsItself) this.heard();
      });
      return;
    }
    this.state.loopCutAtMs = clock.monotonic();
    this.actions.cut(CUT_TEXT);
  }

  /** It does not want it any longer. */
  unheard(): void {
    this.hearsItself = false;
  }

  /** Others, too, want a loop subject of the leafnode's side. */
  found(subject: string): void {
    const { clock, random } = this.state.deps;
    const isNew = clock.monotonic() - this.state.leafJoinedAtMs < NEW_MS;
    if (isNew) this.isMuted = true;
    const chanceMs = TELL_MS_MIN + random.float() * (TELL_MS_MAX - TELL_MS_MIN);
    const circle: Circle = {
      isTold: false,
      timer: clock.after(isNew ? chanceMs : NEW_MS + chanceMs, () => {
        circle.isTold = true;
        circle.timer = clock.after(SETTLE_MS, () => this.actions.cut(CUT_TEXT));
        this.actions.tell(subject);
      }),
    };
    this.circles.set(subject, circle);
  }

  /** One of the sides does not want it any longer. Returns whether the leafnode waited in vain to be told of it. */
  gone(subject: string): boolean {
    const circle = this.circles.get(subject);
    if (circle === undefined) return false;
    circle.timer.cancel();
    this.circles.delete(subject);
    if (this.circles.size === 0) this.isMuted = false;
    return !circle.isTold;
  }

  stop(): void {
    this.settling?.cancel();
    this.hearsItself = false;
    for (const { timer } of this.circles.values()) timer.cancel();
    this.circles.clear();
  }
}
