/**
 * What travels on a NATS connection: the operations, the JSON of INFO and CONNECT, headers, and how the
 * broker writes its side. Reading is in `nats-parser`.
 *
 *     INFO {json}                                     server to client; both ways between leafnodes
 *     CONNECT {json}
 *     PUB subject [reply] size CRLF payload           client to server
 *     HPUB subject [reply] header-size total-size CRLF headers payload
 *     SUB subject [queue] sid          UNSUB sid [max]
 *     MSG subject sid [reply] size CRLF payload       server to client
 *     HMSG subject sid [reply] header-size total-size CRLF headers payload
 *     PING  PONG  +OK  -ERR 'text'
 *   leafnodes:
 *     LS+ subject [queue weight]       LS- subject [queue]
 *     LMSG subject [reply | "+" reply queue… | "|" queue…] size CRLF payload
 *     HMSG subject [the same] header-size total-size CRLF headers payload
 *
 * Every line ends with CRLF. Sizes are decimal bytes. Headers: "NATS/1.0" [" " status [" " text]] CRLF
 * *(name ":" value CRLF) CRLF. Source: docs.nats.io "Client Protocol"; the leafnode lines as nats-server 2.9
 * sends them. Subjects, queues and sids are wire strings (`nats-subject`).
 */
import { latin1, utf8 } from "./bytes.ts";

/**
 * A published message. Its body, the headers (the first `headerBytes` bytes, 0 without) and the payload, is `bytes`
 * from `start` to `end`: a message need not have bytes of its own.
 */
export interface NatsMessage {
  readonly subject: string;
  readonly reply: string;
  readonly headerBytes: number;
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** The queue groups that a message between leafnodes goes to; always empty from a client. */
export interface NatsPublish extends NatsMessage {
  readonly op: "pub";
  readonly queues: readonly string[];
}

export type NatsOperation =
  | NatsPublish
  | { readonly op: "sub"; readonly subject: string; readonly queue: string; readonly sid: string }
  | { readonly op: "unsub"; readonly sid: string; readonly max: number }
  | { readonly op: "leaf-sub"; readonly subject: string; readonly queue: string; readonly weight: number }
  | { readonly op: "leaf-unsub"; readonly subject: string; readonly queue: string }
  | { readonly op: "connect" | "info" | "error"; readonly text: string }
  | { readonly op: "ping" | "pong" | "ok" };

/** The fields of INFO that the broker writes or reads. */
export interface ServerInfo {
  readonly server_id: string;
  readonly server_name: string;
  readonly version: string;
  readonly proto: number;
  readonly host: string;
  readonly port: number;
  readonly headers: boolean;
  readonly max_payload: number;
  readonly client_id?: number;
  readonly client_ip?: string;
  readonly auth_required?: boolean;
  readonly tls_required?: boolean;
  readonly nonce?: string;
  readonly ldm?: boolean;
  readonly info_on_connect?: boolean;
  readonly connect_info?: boolean;
  readonly leafnode_urls?: readonly string[];
  readonly remote_account?: string;
}

/** The error texts of nats-server, as they stand between the quotes of -ERR. */
export const NATS_ERROR = {
  operation: "Unknown Protocol Operation",
  controlLine: "maximum control line exceeded",
  payload: "Maximum Payload Violation",
  subject: "Invalid Subject",
  publishSubject: "Invalid Publish Subject",
  authorization: "Authorization Violation",
  authTimeout: "Authentication Timeout",
  stale: "Stale Connection",
  connections: "maximum connections exceeded",
  subscriptions: "maximum subscriptions exceeded",
  protocol: "invalid client protocol",
  noResponders: "no responders requires headers support",
  leafPort: "attempted to connect to leaf node port",
  /** How the text begins; the account and the wait follow. */
  loop: "Loop detected",
  duplicateLeaf: "Duplicate Remote LeafNode Connection",
} as const;

/** The body of the message that says that nobody listens where a request went. */
export const NO_RESPONDERS: Uint8Array = utf8("NATS/1.0 503\r\n\r\n");

/** A message whose body is all of `body`. */
export function messageOf(subject: string, reply: string, body: Uint8Array, headerBytes = 0): NatsMessage {
  return { subject, reply, headerBytes, bytes: body, start: 0, end: body.length };
}

/** `message` without its headers, for those who do not know them. */
export function withoutHeaders(message: NatsMessage): NatsMessage {
  const { subject, reply, headerBytes, bytes, start, end } = message;
  return { subject, reply, headerBytes: 0, bytes, start: start + headerBytes, end };
}

export function infoLine(info: ServerInfo): string {
  return `INFO ${JSON.stringify(info)} \r\n`;
}

export function errorLine(text: string): string {
  return `-ERR '${text}'\r\n`;
}

/** The line of MSG or HMSG for subscription `sid`; the body and CRLF follow. */
export function messageLine(message: NatsMessage, sid: string): string {
  const { subject, reply, headerBytes } = message;
  const size = message.end - message.start;
  const to = reply === "" ? "" : `${reply} `;
  if (headerBytes === 0) return `MSG ${subject} ${sid} ${to}${size}\r\n`;
  return `HMSG ${subject} ${sid} ${to}${headerBytes} ${size}\r\n`;
}

/** The line of LMSG or HMSG between leafnodes, for plain subscribers and one of each group of `queues`. */
export function leafMessageLine(message: NatsMessage, queues: readonly string[]): string {
  const { subject, reply, headerBytes } = message;
  const size = message.end - message.start;
  const groups = queues.join(" ");
  const to =
    queues.length === 0
      ? reply === ""
        ? ""
        : `${reply} `
      : reply === ""
        ? `| ${groups} `
        : `+ ${reply} ${groups} `;
  if (headerBytes === 0) return `LMSG ${subject} ${to}${size}\r\n`;
  return `HMSG ${subject} ${to}${headerBytes} ${size}\r\n`;
}

/** A body with headers. Names and values must not hold CR or LF; names no colon: such are left out. */
export function formatHeaders(headers: Iterable<readonly [name: string, value: string]>): Uint8Array {
  let block = "NATS/1.0\r\n";
  for (const [name, value] of headers) {
    if (/^[^\r\n:]+$/.test(name) && !/[\r\n]/.test(value)) block += `${name}: ${value}\r\n`;
  }
  return utf8(`${block}\r\n`);
}

export interface NatsHeaders {
  /** The status of the first line, such as 503; 0 when there is none. */
  readonly status: number;
  readonly entries: readonly (readonly [name: string, value: string])[];
}

/** Reads a header block. Lines without a colon are passed over. */
export function parseHeaders(block: Uint8Array): NatsHeaders {
  const lines = Buffer.from(latin1(block), "latin1").toString("utf8").split("\r\n");
  const status = /^NATS\/1\.0 (\d{3})(?: |$)/.exec(lines[0] ?? "");
  const entries: (readonly [string, string])[] = [];
  for (const line of lines.slice(1)) {
    const colon = line.indexOf(":");
    if (colon > 0) entries.push([line.slice(0, colon), line.slice(colon + 1).trim()]);
  }
  return { status: status === null ? 0 : Number(status[1]), entries };
}
