/**
 * Writes messages of the sync protocol into one buffer, card by card, which grows as needed. What is written is
 * copied at once: a caller may give up a payload when `card` returns. `byteLength` is what budgets ask.
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

export class MessageWriter {
  private buffer: Buffer<ArrayBuffer>;
  private length = 0;
  private cards = 0;

  /** @param lent to write in while it is large enough; then the message keeps the whole of it, however small it is */
  constructor(private readonly lent?: ArrayBuffer) {
    this.buffer = Buffer.from(lent ?? new ArrayBuffer(0));
  }

  /** Bytes that `finish` would return. */
  get byteLength(): number {
    return this.length;
  }

  /** Cards written since the start or the last `clear`, comments not counted. */
  get cardCount(): number {
    return this.cards;
  }

  /** Makes room for `bytes` more. A writer that is told what will come never copies what it has. */
  reserve(bytes: number): void {
    const needed = this.length + bytes;
    if (needed > this.buffer.length) this.resize(needed);
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
    this.length = 0;
    this.cards = 0;
  }

  /** The whole message, in the writer's own buffer: nothing may be written afterwards. */
  finish(): Bytes {
    const spare = this.buffer.length - this.length;
    const isLent = this.buffer.buffer === this.lent;
    if (!isLent && (this.length < TRIM_BELOW_BYTES || spare > this.length / 4)) this.resize(this.length);
    return new Uint8Array(this.buffer.buffer, 0, this.length);
  }

  private append(line: string): void {
    const size = Buffer.byteLength(line);
    this.makeRoom(size);
    this.buffer.write(line, this.length, size, "utf8");
    this.length += size;
  }

  private makeRoom(bytes: number): void {
    const needed = this.length + bytes;
    const { length } = this.buffer;
    if (needed > length) this.resize(Math.max(needed, length * 2, FIRST_CAPACITY_BYTES));
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
    this.makeRoom(length + 1);
    this.buffer.set(content, this.length);
    this.length += length;
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
