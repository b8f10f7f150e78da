/** How a leafnode connection came about, and what follows from it for its handshake and the exchange of interest. */
import { credentialFields, type LeafCredentials } from "./broker-auth.ts";
import { type Fields, stringField } from "./broker-fields.ts";
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

/** What a side that joins says of itself in answer to `info`. @throws UsageError `nkey-syntax` */
export function connectLine(
  { needsTls, credentials }: LeafOrigin & { kind: "spoke-leaf" },
  { version, serverId, serverName }: Readonly<Record<"version" | "serverId" | "serverName", string>>,
  info: Fields,
): string {
  const connect = {
    version,
    tls_required: needsTls || info["tls_required"] === true,
    server_id: serverId,
    name: serverName,
    headers: true,
    ...credentialFields(credentials, stringField(info, "nonce")),
  };
  return `CONNECT ${Buffer.from(JSON.stringify(connect)).toString("latin1")}\r\n`;
}
