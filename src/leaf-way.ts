/**
 * The way to a peer that was heard of: its own subject on the link where it is, else, when nobody answers there, the
 * web address it told of, without a login. Chosen anew for each sync.
 */
import type { Bytes } from "./bytes.ts";
import type { Clock } from "./clock.ts";
import { ProtocolError } from "./errors.ts";
import type { NatsLink } from "./nats-link.ts";
import type { Random } from "./random.ts";
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
}

export function wayTo(
  { http, ...nats }: WayOptions,
  deps: { readonly clock: Clock; readonly random: Random },
): Transport {
  const first = new NatsTransport({ ...nats, ...deps });
  if (http === undefined) return first;
  return new FallbackTransport(first, () => new HttpTransport(new URL(http), { clock: deps.clock }));
}

class FallbackTransport implements Transport {
  readonly carriesCookie = false;
  private hasAnswered = false;

  constructor(
    private current: Transport,
    private readonly second: () => Transport,
  ) {}

  get peer(): string {
    return this.current.peer;
  }

  async exchange(message: Bytes, options?: ExchangeOptions): Promise<ExchangeReply> {
    try {
      const reply = await this.current.exchange(message, options);
      this.hasAnswered = true;
      return reply;
    } catch (error) {
      const isNobody = error instanceof ProtocolError && error.code === "peer-unreachable";
      if (!isNobody || this.hasAnswered) throw error;
      this.hasAnswered = true;
      await this.current.close();
      this.current = this.second();
      return this.current.exchange(message, options);
    }
  }

  close(): Promise<void> {
    return this.current.close();
  }
}
