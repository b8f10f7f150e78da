/**
 * The broker's sockets on the simulated network: streams of bytes between machines, in memory. As TCP does, they neither
 * lose nor reorder; what befalls them is delay, pieces of any size, a full window, a partition (bytes wait, and the
 * connection is reset when it lasts), a reset in the middle, a machine that is gone.
 */
import type { BrokerSocket, SocketEvents, SocketListener, SocketNetwork } from "../../src/broker-socket.ts";
import { ProtocolError } from "../../src/errors.ts";
import type { Dice } from "./dice.ts";
import type { Network } from "./network.ts";
import type { Timeline } from "./timeline.ts";

/** Bytes under way in one direction before a writer has to wait. */
const WINDOW_BYTES = 32_768;
/** Of a partition, after which a connection is given up. */
const SILENCE_MS = 20_000;
const LOOK_AGAIN_MS = 1_000;

/** One run of a machine: its sockets end with it. */
export interface Owner {
  readonly name: string;
  readonly isUp: boolean;
  /** Runs code of that machine. */
  run(body: () => void): void;
}

interface Listening {
  readonly owner: Owner;
  readonly accept: (socket: BrokerSocket) => SocketEvents;
}

class End implements BrokerSocket {
  readonly remotePort = 1;
  events: SocketEvents | undefined;
  other!: End;
  isOpen = true;
  private inFlight = 0;
  private wantsDrain = false;
  private paused = false;
  private readonly held: (() => void)[] = [];
  /** When what was written last arrives: nothing overtakes. */
  private arrivesAt = 0;
  private waitingSince: number | undefined;
  /** In the order of writing, and how many of them have had their time. */
  private readonly onWay: (() => void)[] = [];
  private due = 0;

  constructor(
    private readonly world: SimulatedSockets,
    readonly owner: Owner,
    readonly remoteAddress: string,
  ) {}

  write(bytes: Uint8Array): number {
    if (!this.isOpen) return bytes.length;
    const count = Math.max(0, Math.min(bytes.length, WINDOW_BYTES - this.inFlight));
    this.wantsDrain ||= count < bytes.length;
    if (count > 0) {
      this.inFlight += count;
      // A copy: a `slice` of a Buffer is a view.
      this.send(new Uint8Array(bytes.subarray(0, count)));
    }
    return count;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.world.timeline.after(0, () => {
      while (!this.paused && this.held.length > 0) this.held.shift()!();
    });
  }

  end(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.later(() => this.other.close());
    this.world.timeline.after(0, () => this.tellClosed());
  }

  terminate(): void {
    this.close();
    this.later(() => this.other.close());
  }

  startTls(): Promise<void> {
    return Promise.reject(new ProtocolError("nats-tls", "there is no TLS in this world"));
  }

  /** Closed from outside: a reset, or the other end. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.world.timeline.after(0, () => this.tellClosed());
  }

  private tellClosed(): void {
    const { events } = this;
    this.events = undefined;
    if (events !== undefined && this.owner.isUp) this.owner.run(() => events.onClose());
  }

  /** After all that was written before. */
  private later(run: () => void): void {
    const { timeline, network } = this.world;
    this.onWay.push(run);
    this.arrivesAt = Math.max(this.arrivesAt, timeline.now + network.delay());
    timeline.after(this.arrivesAt - timeline.now, () => {
      this.due++;
      this.arrive();
    });
  }

  private send(bytes: Uint8Array): void {
    const { dice, network } = this.world;
    if (dice.chance(network.faults.reset)) {
      this.world.tell(`${this.owner.name}>${this.remoteAddress} reset`);
      this.terminate();
      return;
    }
    // What is written at once may come in pieces.
    const cut = bytes.length > 1 && dice.chance(0.3) ? 1 + dice.below(bytes.length - 1) : bytes.length;
    for (const piece of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
      if (piece.length > 0) this.later(() => this.deliver(piece));
    }
  }

  /** Lets through what has had its time, in order; in a partition nothing. */
  private arrive(): void {
    const { network, timeline } = this.world;
    const { other } = this;
    while (this.due > 0) {
      if (network.isCut(this.owner.name, other.owner.name)) {
        this.waitingSince ??= timeline.now;
        if (timeline.now - this.waitingSince <= SILENCE_MS) {
          timeline.after(LOOK_AGAIN_MS, () => this.arrive());
          return;
        }
        this.close();
        other.close();
      }
      this.waitingSince = undefined;
      this.due--;
      this.onWay.shift()!();
    }
  }

  private deliver(piece: Uint8Array): void {
    const { other } = this;
    if (other.paused || other.held.length > 0) other.held.push(() => this.hand(piece));
    else this.hand(piece);
  }

  private hand(piece: Uint8Array): void {
    const { other } = this;
    this.inFlight -= piece.length;
    if (!other.owner.isUp) this.close();
    if (!other.isOpen || !other.owner.isUp) return;
    other.owner.run(() => other.events?.onData(new Uint8Array(piece)));
    if (!this.wantsDrain || !this.isOpen || !this.owner.isUp) return;
    this.wantsDrain = false;
    this.owner.run(() => this.events?.onDrain());
  }
}

export class SimulatedSockets {
  private readonly listening = new Map<string, Listening>();
  private readonly ends: End[] = [];

  constructor(
    readonly timeline: Timeline,
    readonly network: Network,
    readonly dice: Dice,
    readonly tell: (line: string) => void,
  ) {}

  /** The network as a machine sees it. */
  of(owner: Owner): SocketNetwork {
    return {
      listen: ({ port }, accept): SocketListener => {
        const at = `${owner.name}:${port}`;
        this.listening.set(at, { owner, accept });
        return { host: owner.name, port, close: () => void this.listening.delete(at) };
      },
      connect: async ({ host, port }, opened, signal) => {
        const { promise, resolve, reject } = Promise.withResolvers<void>();
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        const delayMs = this.network.delay();
        this.timeline.after(delayMs, () => {
          if (!owner.isUp || signal.aborted) return;
          const listener = this.listening.get(`${host}:${port}`);
          const isCut = this.network.isCut(owner.name, host) || this.network.isCut(host, owner.name);
          // Into a partition one calls in vain, until one gives up.
          if (isCut) return;
          if (listener === undefined || !listener.owner.isUp) {
            return reject(new ProtocolError("peer-unreachable", `nobody listens at ${host}`));
          }
          const near = new End(this, owner, host);
          const far = new End(this, listener.owner, owner.name);
          [near.other, far.other] = [far, near];
          this.ends.push(near, far);
          listener.owner.run(() => {
            far.events = listener.accept(far);
          });
          owner.run(() => {
            near.events = opened(near);
          });
          resolve();
        });
        await promise;
      },
    };
  }

  /** A machine has died: whoever was connected to it hears of it some time later. */
  drop(owner: Owner): void {
    for (const [at, listener] of this.listening) if (listener.owner === owner) this.listening.delete(at);
    for (const end of this.ends) if (end.owner === owner) end.terminate();
    for (let i = this.ends.length; i-- > 0; ) if (!this.ends[i]!.isOpen) this.ends.splice(i, 1);
  }
}
