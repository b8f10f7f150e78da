/** Endpoints on loopback without relays, and exchanges between them. */
import type { Bytes } from "../src/bytes.ts";
import { systemClock } from "../src/clock.ts";
import { IrohEndpoint, type IrohEndpointOptions } from "../src/iroh-endpoint.ts";
import { silentLogger } from "../src/log.ts";
import { systemRandom } from "../src/random.ts";
import { IrohTransport, type IrohTransportOptions, XFER_ALPN } from "../src/transport-iroh.ts";
import { IrohServer, type IrohServerOptions } from "../src/transport-iroh-server.ts";
import { CONTENT_TYPES, decodeMessage, encodeMessage } from "../src/xfer-message.ts";
import type { Serve } from "./transport-contract.ts";

export const deps = { clock: systemClock, log: silentLogger };

export function endpoint(options: Partial<IrohEndpointOptions> = {}): Promise<IrohEndpoint> {
  return IrohEndpoint.start(
    { secretKey: systemRandom.bytes(32), relay: "disabled", host: "127.0.0.1", ...options },
    deps,
  );
}

export interface Served {
  readonly endpoint: IrohEndpoint;
  readonly server: IrohServer;
}

/** An endpoint that answers whoever `admit` lets in. */
export async function serving(
  serve: Serve,
  admit: (id: string) => boolean = () => true,
  options: Partial<IrohServerOptions> = {},
  ofEndpoint: Partial<IrohEndpointOptions> = {},
): Promise<Served> {
  const server = new IrohServer({
    ...deps,
    answer: async ({ body }) => {
      const reply = await serve(decodeMessage(body, CONTENT_TYPES.compressed).message);
      return { body: encodeMessage(reply as Bytes, "compressed").body };
    },
    ...options,
  });
  const accept = {
    [XFER_ALPN]: (connection: Parameters<IrohServer["serve"]>[0]) => void server.serve(connection),
  };
  return { endpoint: await endpoint({ admit, accept, ...ofEndpoint }), server };
}

export function transportTo(
  served: Served,
  from: IrohEndpoint,
  options: Partial<IrohTransportOptions> = {},
): IrohTransport {
  return new IrohTransport({
    endpoint: from,
    address: served.endpoint.ticket(),
    clock: systemClock,
    ...options,
  });
}
