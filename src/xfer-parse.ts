/**
 * Reads a message of the sync protocol card by card. The message is whole and decoded (see
 * `xfer-message.ts`); payloads are views of it. The card table says what is a card.
 *
 * A line runs to the next line feed, or to the end. Only its first six tokens count. What a receiver
 * would not understand is yielded as such and never thrown, for a server has to answer it:
 * - `unknown`: no card of that name comes from that sender, or its tokens are wrong; a blank line too;
 * - `unknown-pragma`: to be ignored;
 * - `malformed`: a card whose payload cannot be delimited; it is the last that is yielded.
 */
import { latin1 } from "./bytes.ts";
import { FormatError, LimitError } from "./errors.ts";
import { CARD_LINE_MAX_BYTES, CARD_MAX_COUNT, CARD_TOKEN_MAX_COUNT } from "./limits.ts";
import type { Card, KnownCard, MalformedCard, Sender } from "./xfer-card.ts";
import { type AnyCardSpec, specOf } from "./xfer-card-table.ts";
import { decodeToken, TOKEN_CODECS, type TokenValue } from "./xfer-token.ts";

const LINE_FEED = 10;
const HASH_SIGN = 35;
const TOKEN = /[^ \t-\r]+/g;

export class CardReader implements Iterable<Card> {
  /** Offset of the line of the card that `next` returned last. */
  cardOffset = 0;
  /** Offset of the first byte after that line: where its payload starts, and what a login's nonce covers. */
  lineEnd = 0;
  private position = 0;
  private count = 0;

  /**
   * @param sender who wrote the message: a card that only the other side may send is unknown
   * @param cardMaxCount cards and comments to read before giving up
   */
  constructor(
    readonly message: Uint8Array,
    private readonly sender: Sender,
    private readonly cardMaxCount = CARD_MAX_COUNT,
  ) {}

  /** Offset after the card that `next` returned last, its payload included. */
  get end(): number {
    return this.position;
  }

  /**
   * The next card, or `undefined` at the end.
   *
   * @throws FormatError `xfer-truncated` when the message ends inside a payload
   * @throws LimitError `xfer-line-size`, `xfer-card-count`, `xfer-payload-size`
   */
  next(): Card | undefined {
    const { message } = this;
    if (this.position >= message.length) return undefined;
    if (++this.count > this.cardMaxCount) {
      throw new LimitError("xfer-card-count", `a message has more than ${this.cardMaxCount} cards`);
    }
    this.cardOffset = this.position;
    const found = message.indexOf(LINE_FEED, this.position);
    this.lineEnd = found < 0 ? message.length : found + 1;
    this.position = this.lineEnd;
    if (this.lineEnd - this.cardOffset > CARD_LINE_MAX_BYTES) {
      throw new LimitError(
        "xfer-line-size",
        `a card's line is ${this.lineEnd - this.cardOffset} bytes long, more than ${CARD_LINE_MAX_BYTES}`,
      );
    }
    const line = latin1(message, this.cardOffset, this.lineEnd);
    if (message[this.cardOffset] === HASH_SIGN) {
      return { type: "comment", text: decodeToken(line.slice(1).replace(/\n$/, "")) };
    }
    return this.readLine(line);
  }

  *[Symbol.iterator](): Generator<Card> {
    for (let card = this.next(); card !== undefined; card = this.next()) yield card;
  }

  private readLine(line: string): Card {
    const tokens = line.match(TOKEN)?.slice(0, CARD_TOKEN_MAX_COUNT) ?? [];
    const unknown = (): Card => ({ type: "unknown", line: decodeToken(line), isBlank: tokens.length === 0 });
    const isPragma = tokens[0] === "pragma" && tokens.length > 1;
    const type = isPragma ? `pragma ${tokens[1]}` : (tokens[0] ?? "");
    const ignored = (): Card => ({ type: "unknown-pragma", name: decodeToken(tokens[1] ?? "") });

    const spec = specOf(type);
    if (spec === undefined || !spec.from.includes(this.sender)) return isPragma ? ignored() : unknown();
    const card = readFields(type, spec, tokens.slice(isPragma ? 2 : 1));
    if (card !== undefined) {
      if (spec.payload !== undefined) this.readPayload(card, spec.payload);
      return card as unknown as KnownCard;
    }
    if (spec.misfit === "ignored") return ignored();
    if (spec.misfit === "unknown") return unknown();
    this.position = this.message.length;
    return { type: "malformed", keyword: type as MalformedCard["keyword"] };
  }

  private readPayload(card: CardFields, rule: NonNullable<AnyCardSpec["payload"]>): void {
    const { message } = this;
    const declared = card.size ?? 0;
    const length = rule.length(card as never);
    if (Math.max(declared, length ?? 0) > rule.maxBytes) {
      const size = Math.max(declared, length ?? 0);
      throw new LimitError(
        "xfer-payload-size",
        `a ${card.type} card declares ${size} bytes, more than ${rule.maxBytes}`,
      );
    }
    if (length === undefined) return;
    const start = this.position;
    if (length > message.length - start) {
      throw new FormatError(
        "xfer-truncated",
        `a ${card.type} card declares ${length} bytes, but the message ends after ${message.length - start}`,
      );
    }
    this.position = start + length;
    card.content = message.subarray(start, this.position);
    // Stock passes over one byte after a config's payload whatever it is.
    if (rule.rule === "line-feed") this.position = Math.min(this.position + 1, message.length);
    const endsLine = length === 0 || message[start + length - 1] === LINE_FEED;
    const mayFollow = rule.rule === "line-feed-if-missing" && !endsLine;
    if (mayFollow && message[this.position] === LINE_FEED) this.position++;
  }
}

/** A card while its fields are being filled. */
interface CardFields {
  readonly type: string;
  size?: number;
  content?: Uint8Array;
  [field: string]: TokenValue | Uint8Array;
}

/** Fills the fields of a card from its tokens, or `undefined` when they do not fit. */
function readFields(type: string, spec: AnyCardSpec, tokens: readonly string[]): CardFields | undefined {
  const { fields } = spec;
  if (tokens.length > fields.length && spec.more === "refused") return undefined;
  let missing = Math.max(0, fields.length - tokens.length);
  // What is missing is taken from the optional fields, the last ones first.
  const skipped = new Set<string>();
  for (let i = fields.length - 1; i >= 0 && missing > 0; i--) {
    if (fields[i]!.optional === undefined) continue;
    skipped.add(fields[i]!.name);
    missing--;
  }
  if (missing > 0) return undefined;
  const card: CardFields = { type };
  let next = 0;
  for (const { name, kind } of fields) {
    if (skipped.has(name)) {
      if (kind === "one") card[name] = false;
      continue;
    }
    const read = TOKEN_CODECS[kind].read(tokens[next++]!);
    if (read === undefined) return undefined;
    if (read.value !== undefined) card[name] = read.value;
  }
  return card;
}
