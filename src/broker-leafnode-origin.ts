/** How a leafnode connection came about, and what follows from it for its handshake and the exchange of interest. */
import type { LeafCredentials } from "./broker-auth.ts";
import type { TlsSettings } from "./broker-socket.ts";

/** `hub-leaf`: the other side joined us; `spoke-leaf`: we joined it. */
export type LeafOrigin =
  | {
      readonly kind: "hub-leaf";
      readonly address: { host: string; port: number };
      /** What carries it has proved who joins, and is secret: neither TLS nor credentials are asked for. */
      readonly isTrusted?: boolean;
    }
  | {
      readonly kind: "spoke-leaf";
      readonly credentials: LeafCredentials;
      readonly tls: TlsSettings;
      /** TLS even if the server does not ask for it. */
      readonly needsTls: boolean;
      /** The server hears of everything, of what other servers want too. */
      readonly tellsAll?: boolean;
      /**
       * Called once when it is over. `reason` is "" when the connection just went away; `loopSubject` is that by which the
       * server recognises itself, if it was told.
       */
      readonly onEnd: (reason: string, wasJoined: boolean, loopSubject?: string) => void;
    };
