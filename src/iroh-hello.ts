/**
 * How two endpoints begin on ALPN `/edgesync/nats-leaf/1`. Whoever connects opens one bidirectional stream; then each side
 * says one line, the connecting one first:
 *
 *     {"v":1,"role":"peer"}\n        peer, hub or leaf; at most `IROH_HELLO_MAX_BYTES`
 *
 * From the lines follows who joins whom as a leafnode (`broker-leafnode`): a `leaf` joins a `peer` or a `hub`, a `peer` a
 * `hub`, and of two of a kind the one with the lower id the other; but two of role `leaf`, which only join, have nothing
 * to say to each other. What follows on the stream is that leafnode connection.
 */
import { type Bytes, concat, text, utf8 } from "./bytes.ts";
import { FormatError, LimitError } from "./errors.ts";
import type { IrohStream } from "./iroh-stream.ts";
import { IROH_HELLO_MAX_BYTES } from "./limits.ts";

export const LEAFNODE_ALPN = "/edgesync/nats-leaf/1";

const VERSION = 1;
/** In the order in which they join one another. */
const ROLES = ["leaf", "peer", "hub"] as const;
export type IrohRole = (typeof ROLES)[number];

const LINE_FEED = 10;

export function formatHello(role: IrohRole): Bytes {
  return utf8(`${JSON.stringify({ v: VERSION, role })}\n`);
}

/**
 * Reads the peer's line, and what has come after it.
 *
 * @throws FormatError `iroh-hello`; LimitError `iroh-hello-size`; and as the stream rejects
 */
export async function readHello(
  stream: IrohStream,
): Promise<{ readonly role: IrohRole; readonly rest: Bytes }> {
  let read: Bytes = new Uint8Array(0);
  for (;;) {
    const end = read.indexOf(LINE_FEED);
    if (end > IROH_HELLO_MAX_BYTES || (end < 0 && read.length > IROH_HELLO_MAX_BYTES)) {
      throw new LimitError(
        "iroh-hello-size",
        `the first line of a peer has more than ${IROH_HELLO_MAX_BYTES} bytes`,
      );
    }
    if (end >= 0) return { role: parseRole(text(read.subarray(0, end))), rest: read.slice(end + 1) };
    const part = await stream.read();
    if (part === undefined) throw new FormatError("iroh-hello", "a peer ended before it said what it is");
    read = concat([read, part]);
  }
}

/** Whether this side joins the other; undefined when neither may. */
export function joins(
  own: { role: IrohRole; id: string },
  other: { role: IrohRole; id: string },
): boolean | undefined {
  const [ownRank, otherRank] = [ROLES.indexOf(own.role), ROLES.indexOf(other.role)];
  if (ownRank !== otherRank) return ownRank < otherRank;
  return own.role === "leaf" ? undefined : own.id < other.id;
}

function parseRole(line: string): IrohRole {
  let hello: unknown;
  try {
    hello = JSON.parse(line);
  } catch {
    hello = undefined;
  }
  const { v, role } = typeof hello === "object" && hello !== null ? (hello as Record<string, unknown>) : {};
  const known = ROLES.find((one) => one === role);
  if (v === VERSION && known !== undefined) return known;
  throw new FormatError(
    "iroh-hello",
    `expected {"v":1,"role":…} as the first line of a peer, got ${JSON.stringify(line)}`,
  );
}
