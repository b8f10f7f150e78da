/**
 * The line before a payload, scanned as bytes: "PUB subject [reply] size CRLF" and its like as clients and leafnodes
 * nearly always write it, in capitals, with one blank between arguments, without queue groups and within
 * limits. Any other line is left to `nats-parser`, which reads all that the grammar allows and says what is wrong.
 *
 * A text is made only of the reply, and of the subject where it is not that of the line before.
 */
import { latin1, utf8 } from "./bytes.ts";
import { NATS_SIZE_DIGIT_MAX_COUNT } from "./limits.ts";

export interface ParserOptions {
  /** Which operations are understood: those that clients send, or those of leafnodes. */
  readonly dialect: "client" | "leaf";
  readonly controlLineBytesMax: number;
  readonly payloadBytesMax: number;
}

/** What a line says of the payload that follows it. */
export interface Pending {
  readonly subject: string;
  readonly reply: string;
  readonly queues: readonly string[];
  readonly headerBytes: number;
  readonly totalBytes: number;
}

const LF = 10;
const CR = 13;
const BLANK = 32;
const DIGIT_0 = 48;
const DIGIT_9 = 57;
const NO_QUEUES: readonly string[] = [];
/** The lines before a payload as they nearly always begin, and how many sizes they end with. */
const PUBLISHING: Readonly<Record<ParserOptions["dialect"], readonly (readonly [Uint8Array, 1 | 2])[]>> = {
  client: [
    [utf8("PUB "), 1],
    [utf8("HPUB "), 2],
  ],
  leaf: [
    [utf8("LMSG "), 1],
    [utf8("HMSG "), 2],
  ],
};
/** Subject, reply and two sizes. */
const SCANNED_ARGUMENTS_MAX = 4;

export class PublishLineScanner {
  /** What the last line that was scanned says. */
  address: Pending | undefined;
  private lastSubject = "";
  /** Where the arguments of the line being scanned begin and end. */
  private readonly from = [0, 0, 0, 0];
  private readonly to = [0, 0, 0, 0];

  constructor(private readonly options: ParserOptions) {}

  /**
   * Reads the line of a publication at `at` if it is whole and as usual. Returns where it ends, 0 when it must be
   * taken the general way.
   */
  scan(chunk: Uint8Array, at: number): number {
    for (const [name, sizes] of PUBLISHING[this.options.dialect]) {
      if (!startsWith(chunk, at, name)) continue;
      const { from, to } = this;
      const limit = Math.min(chunk.length, at + this.options.controlLineBytesMax);
      let count = 0;
      let start = at + name.length;
      let i = start;
      for (; i < limit; i++) {
        const byte = chunk[i]!;
        if (byte > BLANK) continue;
        if (byte !== BLANK && byte !== CR) return 0;
        if (i === start || count === SCANNED_ARGUMENTS_MAX) return 0;
        from[count] = start;
        to[count++] = i;
        start = i + 1;
        if (byte === CR) break;
      }
      if (i + 1 >= limit || chunk[i + 1] !== LF) return 0;
      return this.expectScanned(chunk, count, sizes) ? i + 2 : 0;
    }
    return 0;
  }

  private expectScanned(chunk: Uint8Array, count: number, sizes: 1 | 2): boolean {
    const { from, to } = this;
    const names = count - sizes;
    if (names < 1 || names > 2) return false;
    const totalBytes = scanSize(chunk, from[count - 1]!, to[count - 1]!);
    const headerBytes = sizes === 1 ? 0 : scanSize(chunk, from[count - 2]!, to[count - 2]!);
    if (totalBytes < 0 || totalBytes > this.options.payloadBytesMax) return false;
    if (headerBytes < 0 || headerBytes > totalBytes) return false;
    if (!isText(chunk, from[0]!, to[0]!, this.lastSubject))
      this.lastSubject = latin1(chunk, from[0]!, to[0]!);
    const reply = names === 1 ? "" : latin1(chunk, from[1]!, to[1]!);
    // The marks of queue groups between leafnodes.
    if (reply === "+" || reply === "|") return false;
    this.address = { subject: this.lastSubject, reply, queues: NO_QUEUES, headerBytes, totalBytes };
    return true;
  }
}

function startsWith(chunk: Uint8Array, at: number, name: Uint8Array): boolean {
  for (let i = 0; i < name.length; i++) if (chunk[at + i] !== name[i]) return false;
  return true;
}

function isText(chunk: Uint8Array, from: number, to: number, text: string): boolean {
  if (text.length !== to - from) return false;
  for (let i = 0; i < text.length; i++) if (chunk[from + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** `readSize` of bytes. */
function scanSize(chunk: Uint8Array, from: number, to: number): number {
  if (to - from > NATS_SIZE_DIGIT_MAX_COUNT) return -1;
  let size = 0;
  for (let i = from; i < to; i++) {
    const byte = chunk[i]!;
    if (byte < DIGIT_0 || byte > DIGIT_9) return -1;
    size = size * 10 + byte - DIGIT_0;
  }
  return size;
}
