/**
 * The frame and the lines that all structural artifacts share.
 *
 * ```
 * artifact  = [ signature-head ] cards [ signature-tail ]
 * cards     = 1*( letter [ " " token *( " " token ) ] LF )      ; letter A to Z, single spaces
 * last card = "Z " md5 LF                                       ; lower-case MD5 of all cards before it
 * ```
 *
 * The whole ends with LF, and the cards with the 35 bytes of the Z card. A token may be empty: `U ` LF has
 * one empty token, `U` LF has none. NUL ends a token as a space does (an accident of C strings, kept
 * because all peers must agree on what is an artifact). The W card is followed by bytes of its own.
 *
 * A signature (PGP clear-signed, or the SSH form of Fossil 2.26 and later) is a head up to the first blank
 * line, and a tail from the last `-----BEGIN … SIGNATURE-----` line on. Both are dropped unverified, as in
 * Fossil, and the Z card covers what is left. Either kind of tail may close either kind of head.
 *
 * Source: Fossil `www/fileformat.wiki`, `remove_pgp_signature` and `verify_z_card` of its `manifest.c`.
 */
import { latin1 } from "./bytes.ts";
import { FormatError, LimitError } from "./errors.ts";
import { md5Hex } from "./hash.ts";
import { MANIFEST_MAX_BYTES } from "./limits.ts";

const SIGNATURE_HEADS = ["-----BEGIN PGP SIGNED MESSAGE-----", "-----BEGIN SSH SIGNED MESSAGE-----"] as const;
const SIGNATURE_TAILS = ["\n-----BEGIN PGP SIGNATURE-----", "\n-----BEGIN SSH SIGNATURE-----"] as const;
const SIGNATURE_HEAD_BYTES = SIGNATURE_HEADS[0].length;

/** `Z`, space, 32 digits, LF. */
const Z_CARD_BYTES = 35;

const [LF, SPACE, NUL, A, Z] = [10, 32, 0, 65, 90];

export interface Cards {
  /** The bytes from the first card to the Z card's LF: a view into the artifact. */
  readonly bytes: Uint8Array;
  readonly signed: boolean;
}

/**
 * Whether `bytes` could be a structural artifact: ends with LF, starts with a card, has a Z card where it
 * must be, or starts with a signature. Costs nothing; `parseArtifact` refuses whatever this refuses.
 */
export function looksLikeArtifact(bytes: Uint8Array): boolean {
  if (bytes.at(-1) !== LF) return false;
  return startsWithCard(bytes) ? hasZCard(bytes) : signatureHead(bytes);
}

/**
 * The cards of an artifact, their Z card checked.
 *
 * @param isChecked the Z card is known to be right
 * @throws FormatError `artifact-frame`, `artifact-checksum`
 * @throws LimitError `artifact-size` past MANIFEST_MAX_BYTES
 */
export function openCards(artifact: Uint8Array, isChecked = false): Cards {
  if (artifact.length > MANIFEST_MAX_BYTES) {
    throw new LimitError(
      "artifact-size",
      `expected an artifact of at most ${MANIFEST_MAX_BYTES} bytes, got ${artifact.length}`,
    );
  }
  if (artifact.at(-1) !== LF) throw new FormatError("artifact-frame", "expected a line feed at the end");
  const { bytes, signed } = withoutSignature(artifact);
  if (!startsWithCard(bytes)) throw new FormatError("artifact-frame", "expected a card on the first line");
  if (!hasZCard(bytes)) throw new FormatError("artifact-frame", "expected a Z card on the last line");
  if (!isChecked) checkZCard(bytes);
  return { bytes, signed };
}

/** Whether `bytes` have the frame of an artifact and a Z card that is right. */
export function hasRightChecksum(bytes: Uint8Array): boolean {
  try {
    openCards(bytes);
    return true;
  } catch (error) {
    if (error instanceof FormatError || error instanceof LimitError) return false;
    throw error;
  }
}

function checkZCard(bytes: Uint8Array): void {
  const stated = latin1(bytes, bytes.length - 33, bytes.length - 1);
  const actual = md5Hex(bytes.subarray(0, bytes.length - Z_CARD_BYTES));
  if (stated !== actual) {
    throw new FormatError(
      "artifact-checksum",
      `expected the Z card to hold ${actual}, got ${JSON.stringify(stated)}`,
    );
  }
}

/** The Z card, with its LF, that goes after `cards`. */
export function zCard(cards: Uint8Array): string {
  return `Z ${md5Hex(cards)}\n`;
}

function startsWithCard(bytes: Uint8Array): boolean {
  return bytes.length >= 10 && bytes[0]! >= A && bytes[0]! <= Z && bytes[1] === SPACE;
}

function hasZCard(bytes: Uint8Array): boolean {
  const at = bytes.length - Z_CARD_BYTES;
  return at >= 0 && bytes[at] === Z && bytes[at + 1] === SPACE;
}

function signatureHead(bytes: Uint8Array): boolean {
  const head = latin1(bytes, 0, Math.min(bytes.length, SIGNATURE_HEAD_BYTES));
  return SIGNATURE_HEADS.some((known) => known === head);
}

function withoutSignature(artifact: Uint8Array): Cards {
  const plain = { bytes: artifact, signed: false };
  if (!signatureHead(artifact)) return plain;
  const buffer = Buffer.from(artifact.buffer, artifact.byteOffset, artifact.length);
  const starts = ["\n\n", "\n\r\n"]
    .map((blank) => ({ at: buffer.indexOf(blank, SIGNATURE_HEAD_BYTES), length: blank.length }))
    .filter(({ at }) => at >= 0)
    .map(({ at, length }) => at + length);
  const start = Math.min(...starts);
  if (!(start < artifact.length)) return plain;
  const body = buffer.subarray(start);
  const tail = Math.max(...SIGNATURE_TAILS.map((line) => body.lastIndexOf(line)));
  return { bytes: artifact.subarray(start, tail < 0 ? artifact.length : start + tail + 1), signed: true };
}

/** What a byte of a token says about the token; DELIMITER ends it. */
const [ESCAPE, NON_ASCII, NOT_HEX, DELIMITER] = [1, 2, 4, 8];

const BYTE_TRAITS = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte === SPACE || byte === LF || byte === NUL) return DELIMITER;
  if (byte >= 0x80) return NON_ASCII | NOT_HEX;
  const char = String.fromCharCode(byte);
  return (char === "\\" ? ESCAPE : 0) | (/[0-9a-f]/.test(char) ? 0 : NOT_HEX);
});

/**
 * Reads cards one by one and their tokens, as raw strings: one code unit per byte. Manifests have tens of
 * thousands of F cards, most of which are passed over (`artifact-file-memo.ts`), so only what is read becomes
 * a string, and one pass over a token finds its end and its traits.
 */
export class CardReader {
  private readonly buffer: Buffer;
  private traits = 0;
  private at = 0;
  private atLineEnd = true;
  private line = 0;
  private letter = "";

  constructor(readonly bytes: Uint8Array) {
    this.buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /**
   * The letter of the next card, or `undefined` at the end.
   *
   * @throws FormatError `artifact-card` when the last card was not read to its end, or no card follows
   */
  next(): string | undefined {
    if (!this.atLineEnd) this.fail("expected the end of the line, got one more token");
    if (this.at >= this.bytes.length) return undefined;
    const code = this.bytes[this.at]!;
    const after = this.bytes[this.at + 1];
    const letter = String.fromCharCode(code);
    this.line++;
    this.letter = letter;
    if (code < A || code > Z || (after !== SPACE && after !== LF)) {
      throw new FormatError("artifact-card", `line ${this.line}: expected a letter A to Z and a space`);
    }
    this.at += 2;
    this.atLineEnd = after === LF;
    return letter;
  }

  /** The next token of this card, raw and still escaped, or `undefined` when it has no more. */
  token(): string | undefined {
    if (this.atLineEnd) return undefined;
    const { bytes } = this;
    const start = this.at;
    let end = start;
    let seen = 0;
    let byte = BYTE_TRAITS[bytes[end]!]!;
    // Every line has its LF: `openCards` saw the last one.
    while (byte !== DELIMITER) {
      seen |= byte;
      byte = BYTE_TRAITS[bytes[++end]!]!;
    }
    this.traits = seen;
    this.atLineEnd = bytes[end] === LF;
    this.at = end + 1;
    return this.buffer.toString("latin1", start, end);
  }

  /** What is left of this card's line, without its line feed. The card is not read any further by this. */
  restOfLine(): string {
    if (this.atLineEnd) return "";
    return this.buffer.toString("latin1", this.at, this.buffer.indexOf(LF, this.at));
  }

  /** Where this card starts. It must have tokens, and none of them may have been read. */
  get cardOffset(): number {
    return this.at - 2;
  }

  /** Where reading goes on. */
  get offset(): number {
    return this.at;
  }

  /** Goes on at a card's start, past `lines` more lines than this card's. */
  skipTo(offset: number, lines: number): void {
    this.at = offset;
    this.line += lines;
    this.atLineEnd = true;
  }

  /** The last token holds an escape. */
  get escaped(): boolean {
    return (this.traits & ESCAPE) !== 0;
  }

  /** The last token holds bytes above 127. */
  get nonAscii(): boolean {
    return (this.traits & NON_ASCII) !== 0;
  }

  /** The last token is made of lower-case hex digits only. */
  get hex(): boolean {
    return (this.traits & NOT_HEX) === 0;
  }

  /**
   * Bytes that follow this card's line, then LF: the content of a W card. A copy.
   *
   * @throws FormatError `artifact-card`
   */
  content(size: number): Uint8Array {
    if (!this.atLineEnd) this.fail("expected the content on the next line");
    const end = this.at + size;
    // Something must follow: the Z card at least.
    if (end + 1 >= this.bytes.length) this.fail(`expected ${size} bytes of content and a line feed`);
    if (this.bytes[end] !== LF) this.fail("expected a line feed after the content");
    const content = this.bytes.slice(this.at, end);
    this.at = end + 1;
    return content;
  }

  /** @throws FormatError with the line and the card in its message */
  fail(problem: string, code = "artifact-card"): never {
    const { line, letter } = this;
    throw new FormatError(code, `line ${line}, ${letter} card: ${problem}`, { data: { line, letter } });
  }
}
