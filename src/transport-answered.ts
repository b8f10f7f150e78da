/** A wire whose first reply came before it was asked for; from then on it is the wire it stands before. */
import type { Bytes } from "./bytes.ts";
import type { ExchangeOptions, ExchangeReply, Transport } from "./transport.ts";

export class AnsweredTransport implements Transport {
  constructor(
    private readonly wire: Transport,
    /** The message. Not used after the first exchange. */
    private reply: Uint8Array | undefined,
  ) {}

  get peer(): string {
    return this.wire.peer;
  }

  get carriesCookie(): boolean {
    return this.wire.carriesCookie;
  }

  get traceId(): string | undefined {
    return this.wire.traceId;
  }

  exchange(message: Bytes, options?: ExchangeOptions): Promise<ExchangeReply> {
    const { reply } = this;
    if (reply === undefined) return this.wire.exchange(message, options);
    this.reply = undefined;
    return Promise.resolve({ message: reply, bytesSent: 0, bytesReceived: reply.length });
  }

  close(): Promise<void> {
    return this.wire.close();
  }
}
