/**
 * Writes messages of the sync protocol. Cards are collected and the message is put together once, at the
 * end, in a buffer of exactly its size; `byteLength` is known all the while, which is what budgets ask.
 */
import { type Bytes, EMPTY } from "./bytes.ts";
import { FormatError } from "./errors.ts";
import type { KnownCard } from "./xfer-card.ts";
import { type AnyCardSpec, specOf } from "./xfer-card-table.ts";
import { TOKEN_CODECS, type TokenValue } from "./xfer-token.ts";

const encoder = new TextEncoder();
const LINE_FEED = 10;

export class MessageWriter {
  private parts: (string | Uint8Array)[] = [];
  private length = 0;
  private cards = 0;

  /** Bytes that `finish` would return. */
  get byteLength(): number {
    return this.length;
  }

  /** Cards written since the start or the last `clear`, comments not counted. */
  get cardCount(): number {
    return this.cards;
  }

  /**
   * Appends a card and its payload. The payload is not copied until `finish`.
   *
   * @throws FormatError `xfer-token` when a field cannot be written, `xfer-payload` when the payload's
   *   size is not the one that the card declares
   */
  card(card: KnownCard): void {
    const spec = specOf(card.type)!;
    this.append(`${formatLine(card, spec)}\n`);
    this.cards++;
    if (spec.payload !== undefined) this.payload(card, spec.payload);
  }

  /** Appends a line that starts with `#`. */
  comment(text: string): void {
    this.append(`#${text}\n`);
  }

  /** Forgets everything written so far. */
  clear(): void {
    this.parts = [];
    this.length = 0;
    this.cards = 0;
  }

  /** The whole message, in one new buffer. */
  finish(): Bytes {
    const message = new Uint8Array(this.length);
    let offset = 0;
    for (const part of this.parts) {
      if (typeof part === "string") {
        offset += encoder.encodeInto(part, message.subarray(offset)).written;
      } else {
        message.set(part, offset);
        offset += part.length;
      }
    }
    return message;
  }

  private append(line: string): void {
    this.length += Buffer.byteLength(line);
    const last = this.parts.length - 1;
    if (typeof this.parts[last] === "string") this.parts[last] += line;
    else this.parts.push(line);
  }

  private payload(card: KnownCard, rule: NonNullable<AnyCardSpec["payload"]>): void {
    const length = rule.length(card as never);
    const content = "content" in card ? (card.content ?? EMPTY) : EMPTY;
    if (content.length !== (length ?? 0)) {
      throw new FormatError(
        "xfer-payload",
        `a ${card.type} card declares ${length ?? 0} bytes, its payload has ${content.length}`,
      );
    }
    if (length === undefined) return;
    if (length > 0) {
      this.parts.push(content);
      this.length += length;
    }
    const endsLine = length === 0 || content[length - 1] === LINE_FEED;
    if (rule.rule === "line-feed" || (rule.rule === "line-feed-if-missing" && !endsLine)) this.append("\n");
  }
}

function formatLine(card: KnownCard, spec: AnyCardSpec): string {
  const values = card as unknown as Readonly<Record<string, TokenValue>>;
  let line: string = card.type;
  for (const { name, kind, optional } of spec.fields as AnyCardSpec["fields"]) {
    const value = values[name];
    if (optional !== undefined && (value === undefined || value === false)) continue;
    line += ` ${TOKEN_CODECS[kind].write(value)}`;
  }
  return line;
}
