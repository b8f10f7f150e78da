/**
 * The network between nodes: each exchange is a request and a reply on their way, to which anything that a
 * network does may happen. What it did to each message goes into the trace.
 */
import type { Bytes } from "../../src/bytes.ts";
import { FormatError, ProtocolError, TimeoutError } from "../../src/errors.ts";
import type { ExchangeOptions, ExchangeReply, Transport } from "../../src/transport.ts";
import { decodeMessage, encodeMessage } from "../../src/xfer-message.ts";
import type { Dice } from "./dice.ts";
import type { Faults } from "./severity.ts";
import type { Timeline } from "./timeline.ts";

/** How long a client waits for a peer that says nothing, in simulated milliseconds. */
const SILENCE_MS = 30_000;
const STRAGGLER_FACTOR = 20;

export interface Letter {
  readonly contentType: string;
  readonly body: Bytes;
  readonly cookie?: string | undefined;
  /** Login that the sender truly has; undefined for none and for a forged one. */
  readonly as: string | undefined;
  /** Over NATS: by which the sender is known there. */
  readonly peerId?: string | undefined;
  /** An honest peer has made it, and nothing befell it on its way. */
  readonly isHonest?: boolean;
}

export interface Reply {
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** One end. A node that has crashed and started again is another endpoint of the same name. */
export interface Endpoint {
  readonly name: string;
  readonly isUp: boolean;
  serve(letter: Letter): Promise<Reply>;
}

export class Network {
  /** While the world is being healed there are none. */
  faults: Faults;
  messageCount = 0;
  /** `from>to`, as often as it is cut. */
  private readonly cuts = new Map<string, number>();

  constructor(
    private readonly timeline: Timeline,
    private readonly dice: Dice,
    faults: Faults,
    private readonly trace: (line: string) => void,
  ) {
    this.faults = faults;
  }

  cut(from: string, to: string, forMs: number): void {
    const key = `${from}>${to}`;
    this.cuts.set(key, (this.cuts.get(key) ?? 0) + 1);
    this.timeline.after(forMs, () => this.cuts.set(key, (this.cuts.get(key) ?? 1) - 1));
  }

  heal(calm: Faults): void {
    this.faults = calm;
    this.cuts.clear();
  }

  /** Carries a letter to `to`'s endpoint of the moment of arrival, and the answer back. */
  async exchange(
    from: Endpoint,
    to: { readonly name: string; endpoint(): Endpoint | undefined },
    letter: Letter,
  ): Promise<Reply> {
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    const id = ++this.messageCount;
    const route = `${from.name}>${to.name}`;
    const tell = (what: string) => this.trace(`#${id} ${route} ${what}`);
    const silent = () =>
      this.timeline.after(SILENCE_MS, () =>
        reject(new TimeoutError("peer-timeout", `${to.name} was silent`)),
      );
    tell(`request ${letter.body.length}`);
    const arrive = () => {
      const endpoint = to.endpoint();
      if (endpoint === undefined || !endpoint.isUp) {
        tell("refused");
        this.timeline.after(this.delay(), () =>
          reject(new ProtocolError("peer-unreachable", `cannot reach ${to.name}`)),
        );
        return;
      }
      const body = this.damaged(letter.body, tell);
      // Who dies over a request neither answers nor closes.
      const patience = silent();
      const isHonest = letter.isHonest === true && Buffer.compare(body, letter.body) === 0;
      endpoint.serve({ ...letter, body, isHonest }).then(
        (answer) => {
          patience.cancel();
          if (!endpoint.isUp) return silent();
          const lost = this.isCut(to.name, from.name) || this.dice.chance(this.faults.lostReply);
          tell(`reply ${answer.body.length}${lost ? " lost" : ""}`);
          if (lost) return silent();
          const body = this.damaged(answer.body, tell);
          return this.timeline.after(this.delay(), () => resolve({ ...answer, body }));
        },
        () => {
          patience.cancel();
          tell("closed");
          return this.timeline.after(this.delay(), () =>
            reject(new ProtocolError("peer-closed", `${to.name} closed the connection`)),
          );
        },
      );
    };
    if (this.isCut(from.name, to.name) || this.dice.chance(this.faults.lostRequest)) {
      tell("lost");
      silent();
    } else {
      this.timeline.after(this.delay(), arrive);
      if (this.dice.chance(this.faults.duplicated)) {
        tell("duplicated");
        this.timeline.after(this.delay(), arrive);
      }
    }
    return promise;
  }

  isCut(from: string, to: string): boolean {
    return (this.cuts.get(`${from}>${to}`) ?? 0) > 0;
  }

  /** How long a message is under way, in simulated milliseconds. */
  delay(): number {
    const { delayMaxMs, straggler } = this.faults;
    const delay = this.dice.between(1, delayMaxMs);
    return this.dice.chance(straggler) ? delay * STRAGGLER_FACTOR : delay;
  }

  private damaged<B extends Uint8Array>(body: B, tell: (what: string) => void): B {
    const { dice, faults } = this;
    if (body.length > 0 && dice.chance(faults.truncated)) {
      tell("truncated");
      return body.slice(0, dice.below(body.length)) as B;
    }
    const copy = body.slice() as B;
    if (body.length > 0 && dice.chance(faults.flipped)) {
      tell("flipped");
      const at = dice.below(body.length);
      copy[at] = copy[at]! ^ (1 << dice.below(8));
    }
    return copy;
  }
}

/** The wire that a node's sync client holds. */
export class SimulatedTransport implements Transport {
  readonly carriesCookie = true;
  private closed = false;

  constructor(
    readonly peer: string,
    private readonly as: string | undefined,
    private readonly send: (letter: Letter) => Promise<Reply>,
  ) {}

  async exchange(message: Bytes, { cookie, signal }: ExchangeOptions = {}): Promise<ExchangeReply> {
    if (this.closed) throw new ProtocolError("transport-closed", `the connection to ${this.peer} is closed`);
    signal?.throwIfAborted();
    const { contentType, body } = encodeMessage(message, "compressed");
    const reply = await this.send({ contentType, body, cookie, as: this.as, isHonest: true });
    signal?.throwIfAborted();
    try {
      const decoded = decodeMessage(reply.body, reply.contentType);
      return { message: decoded.message, bytesSent: body.length, bytesReceived: reply.body.length };
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      throw new ProtocolError("peer-damaged", `${this.peer} sent a reply that cannot be read`, {
        cause: error,
      });
    }
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}
