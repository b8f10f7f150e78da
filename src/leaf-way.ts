/**
 * The way to a peer that was heard of: a stream of its iroh endpoint, else its own subject on the link where it is, else
 * the web address it told of, without a login. Chosen anew for each sync.
 */
import type { Bytes } from "./bytes.ts";
import type { Clock } from "./clock.ts";
import { ProtocolError } from "./errors.ts";
import type { IrohWay } from "./leaf-iroh.ts";
import type { NatsLink } from "./nats-link.ts";
import { type Random, randomHex } from "./random.ts";
import type { ExchangeOptions, ExchangeReply, Transport } from "./transport.ts";
import { HttpTransport } from "./transport-http.ts";
import { NatsTransport } from "./transport-nats.ts";

export interface WayOptions {
  readonly link: NatsLink;
  /** `<prefix>.<project-code>.sync`. */
  readonly subject: string;
  readonly peerId: string;
  readonly ownPeerId: string;
  readonly http: string | undefined;
  readonly iroh: IrohWay | undefined;
}

export function wayTo(
  { http, iroh, ...nats }: WayOptions,
  deps: { readonly clock: Clock; readonly random: Random },
): Transport {
  const traceId = randomHex(deps.random, 16);
  const overNats = () => new NatsTransport({ ...nats, ...deps, traceId });
  if (iroh === undefined && http === undefined) return overNats();
  const ways: Way[] = [{ connect: overNats }];
  if (iroh !== undefined) ways.unshift(iroh);
  if (http !== undefined)
    ways.push({ connect: () => new HttpTransport(new URL(http), { clock: deps.clock }) });
  return new FallbackTransport(ways);
}

/** Before anything of a request was read. */
const LED_NOWHERE = ["peer-unreachable", "peer-refused"];

interface Way {
  connect(): Transport;
  avoid?(): void;
}

class FallbackTransport implements Transport {
  readonly carriesCookie = false;
  private hasAnswered = false;
  private current: Transport;

  /** @param ways at least one, the best first */
  constructor(private readonly ways: Way[]) {
    this.current = ways[0]!.connect();
  }

  get peer(): string {
    return this.current.peer;
  }

  get traceId(): string | undefined {
    return this.current.traceId;
  }

  async exchange(message: Bytes, options?: ExchangeOptions): Promise<ExchangeReply> {
    for (;;) {
      try {
        const reply = await this.current.exchange(message, options);
        this.hasAnswered = true;
        return reply;
      } catch (error) {
        const isNowhere = error instanceof ProtocolError && LED_NOWHERE.includes(error.code);
        if (!isNowhere || this.hasAnswered || this.ways.length === 1) throw error;
        this.ways.shift()!.avoid?.();
        await this.current.close();
        this.current = this.ways[0]!.connect();
      }
    }
  }

  close(): Promise<void> {
    return this.current.close();
  }
}
