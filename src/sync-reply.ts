/** Reading a peer's reply: what is wrong with one is told as the peer's fault, by name. */
import { FormatError, LimitError, ProtocolError } from "./errors.ts";
import type { Card } from "./xfer-card.ts";
import { CardReader } from "./xfer-parse.ts";

/**
 * The cards of a reply.
 *
 * @throws ProtocolError `peer-damaged` when the message breaks off or breaks the format
 */
export function* repliedCards(message: Uint8Array, peer: string): Generator<Card, void> {
  const reader = new CardReader(message, "server");
  for (let card = nextCard(reader, peer); card !== undefined; card = nextCard(reader, peer)) yield card;
}

function nextCard(reader: CardReader, peer: string): Card | undefined {
  try {
    return reader.next();
  } catch (cause) {
    if (!(cause instanceof FormatError || cause instanceof LimitError)) throw cause;
    throw new ProtocolError("peer-damaged", `${peer} sent a reply that cannot be read: ${cause.message}`, {
      cause,
    });
  }
}

/** For a line that is no card of a reply; a page of HTML is the usual case. */
export function unknownCard(peer: string, line: string): ProtocolError {
  const shown = JSON.stringify(line.trim().slice(0, 60));
  const isHtml = line.trimStart().startsWith("<");
  return new ProtocolError("peer-unknown-card", `${peer} sent ${shown}, which is no card of a reply`, {
    ...(isHtml && { hint: "check that the address is that of a Fossil or EdgeSync repository" }),
  });
}
