/**
 * Writes messages of the sync protocol into one buffer, card by card, which grows as needed. What is written is
 * copied at once: a caller may give up a payload when `card` returns. `byteLength` is what budgets ask.
 *
 * A writer that is given a sink passes on what it has from time to time, large payloads without a copy; what
 * `finish` returns is then only the rest.
 */
import { type Bytes, EMPTY } from "./bytes.ts";
import { FormatError } from "./errors.ts";
import type { KnownCard } from "./xfer-card.ts";
import { type AnyCardSpec, specOf } from "./xfer-card-table.ts";
import { TOKEN_CODECS, type TokenValue } from "./xfer-token.ts";

const LINE_FEED = 10;
const FIRST_CAPACITY_BYTES = 1_024;
/** A message below this is handed out in a buffer of its size; a larger one may keep some room at the end. */
const TRIM_BELOW_BYTES = 1_000_000;
/** With a sink: what is gathered before it is passed on, and the size of payloads that are not gathered. */
const GATHERED_BYTES = 1_048_576;

/** Where a message goes while it is written. */
export interface MessageSink {
  /** `bytes` are the writer's again when this returns. */
  write(bytes: Uint8Array): void;
  /** Forgets everything written so far. */
  clear(): void;
}

export class MessageWriter {
  private buffer: Buffer<ArrayBuffer> = Buffer.from(new ArrayBuffer(0));
  private length = 0;
  private cards = 0;
  private sink: MessageSink | undefined;
  private passedOn = 0;

  /** Bytes of the whole message so far. */
  get byteLength(): number {
    return this.passedOn + this.length;
  }

  /** Cards written since the start or the last `clear`, comments not counted. */
  get cardCount(): number {
    return this.cards;
  }

  /** Makes room for `bytes` more. A writer that is told what will come never copies what it has. */
  reserve(bytes: number): void {
    const needed = this.sink === undefined ? this.length + bytes : GATHERED_BYTES;
    if (needed > this.buffer.length) this.resize(needed);
  }

  /** Passes on what is written from now on, and before. */
  passTo(sink: MessageSink): void {
    this.sink = sink;
    this.reserve(GATHERED_BYTES);
  }

  /**
   * Appends a card and its payload.
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
    this.sink?.clear();
    this.passedOn = 0;
    this.length = 0;
    this.cards = 0;
  }

  /** The message, or what has not been passed on, in the writer's own buffer: nothing may be written afterwards. */
  finish(): Bytes {
    const spare = this.buffer.length - this.length;
    if (this.length < TRIM_BELOW_BYTES || spare > this.length / 4) this.resize(this.length);
    return new Uint8Array(this.buffer.buffer, 0, this.length);
  }

  private append(line: string): void {
    const size = Buffer.byteLength(line);
    this.makeRoom(size);
    this.buffer.write(line, this.length, size, "utf8");
    this.length += size;
  }

  private makeRoom(bytes: number): void {
    const { length } = this.buffer;
    if (this.sink !== undefined && this.length + bytes > length) this.passOn(this.sink);
    const needed = this.length + bytes;
    if (needed > length) this.resize(Math.max(needed, length * 2, FIRST_CAPACITY_BYTES));
  }

  private passOn(sink: MessageSink): void {
    if (this.length > 0) sink.write(new Uint8Array(this.buffer.buffer, 0, this.length));
    this.passedOn += this.length;
    this.length = 0;
  }

  private resize(capacity: number): void {
    if (capacity !== this.buffer.length) this.buffer = Buffer.from(this.buffer.buffer.transfer(capacity));
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
    if (this.sink !== undefined && length >= GATHERED_BYTES) {
      this.passOn(this.sink);
      this.sink.write(content);
      this.passedOn += length;
    } else {
      this.makeRoom(length + 1);
      this.buffer.set(content, this.length);
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
