/**
 * Reads the NATS protocol. The parser is fed bytes in any split and yields operations; it never touches a
 * socket. Grammar: see `nats-protocol`. As nats-server does, it takes operation names in either case, blanks
 * and tabs between arguments, a bare LF after a control line, and anything after PING, PONG and +OK; after a
 * payload it insists on CRLF.
 *
 * Bounds, each checked before bytes are kept: a control line's arguments, the digits of a size, a payload. A
 * line or payload that is not complete is copied; the body of a message that is complete in one chunk stays there.
 *
 * Publishing is the hot path. A line of it that is whole in its chunk is scanned as bytes (`nats-parser-line`); one
 * with the same bytes as the line before it is not even scanned. Whatever is unusual about a line (its case,
 * blanks, queue groups, errors) goes the general way, by text.
 *
 * Errors are FormatError or LimitError; `data.reply` is the -ERR text that nats-server answers with before it
 * closes, absent where it closes in silence. After an error the parser must not be fed again.
 */
import { concat, EMPTY, latin1 } from "./bytes.ts";
import { FormatError, LimitError } from "./errors.ts";
import { NATS_SIZE_DIGIT_MAX_COUNT } from "./limits.ts";
import { type ParserOptions, type Pending, PublishLineScanner } from "./nats-parser-line.ts";
import { NATS_ERROR, type NatsOperation, type NatsPublish } from "./nats-protocol.ts";

const LF = 10;
const CR = 13;
/** The longest operation name and its blank: "CONNECT ". */
const NAME_BYTES_MAX = 8;
const NAMES: Readonly<Record<ParserOptions["dialect"], readonly string[]>> = {
  client: ["PUB", "HPUB", "SUB", "UNSUB", "CONNECT", "INFO", "PING", "PONG", "+OK", "-ERR"],
  leaf: ["LMSG", "HMSG", "LS+", "LS-", "CONNECT", "INFO", "PING", "PONG", "+OK", "-ERR"],
};

export class NatsParser {
  /** The part of a control line that has come so far: the first `lineBytes` bytes of `line`. */
  private line: Uint8Array = EMPTY;
  private lineBytes = 0;
  private pending: Pending | undefined;
  private parts: Uint8Array[] = [];
  private have = 0;
  private readonly scanner: PublishLineScanner;

  constructor(private readonly options: ParserOptions) {
    this.scanner = new PublishLineScanner(options);
  }

  /**
   * Takes the next bytes and passes each operation that is now complete to `onOperation`. Stops early when
   * that returns false; the rest of `chunk` is then dropped. A message's bytes may lie in `chunk`, which the
   * caller must not use again.
   *
   * @throws FormatError `nats-operation`, `nats-arguments`, `nats-payload-end`
   * @throws LimitError `nats-control-line`, `nats-payload`
   */
  feed(chunk: Uint8Array, onOperation: (operation: NatsOperation) => boolean): void {
    const { length } = chunk;
    let at = 0;
    // The last scanned line and what it said.
    let knownAt = 0;
    let knownBytes = 0;
    let known: Pending | undefined;
    while (at < length) {
      let pending = this.pending;
      if (pending === undefined && this.lineBytes === 0) {
        if (known !== undefined && isSame(chunk, knownAt, at, knownBytes)) {
          at += knownBytes;
          this.pending = pending = known;
        } else {
          const end = this.scanner.scan(chunk, at);
          if (end > 0) {
            knownAt = at;
            knownBytes = end - at;
            at = end;
            this.pending = pending = known = this.scanner.address;
          }
        }
      }
      if (pending === undefined) {
        at = this.takeLine(chunk, at, onOperation);
        continue;
      }
      const end = at + pending.totalBytes;
      if (this.have > 0 || end + 2 > length) {
        at = this.takePayload(chunk, at, pending);
        if (this.have < pending.totalBytes + 2) return;
        if (!onOperation(this.finishPayload(pending))) return;
        continue;
      }
      this.pending = undefined;
      if (!onOperation(publication(pending, chunk, at, end))) return;
      at = end + 2;
    }
  }

  /** Takes a line, or the part of one that has come, the general way. Returns where to go on. */
  private takeLine(
    chunk: Uint8Array,
    at: number,
    onOperation: (operation: NatsOperation) => boolean,
  ): number {
    const end = chunk.indexOf(LF, at);
    const piece = chunk.subarray(at, end < 0 ? chunk.length : end);
    if (end < 0) {
      this.checkPartialLine(piece);
      this.keepLine(piece);
      return chunk.length;
    }
    if (this.lineBytes + piece.length > this.options.controlLineBytesMax) this.checkPartialLine(piece);
    let line = piece;
    if (this.lineBytes > 0) {
      this.keepLine(piece);
      line = this.line.subarray(0, this.lineBytes);
    }
    const operation = this.readLine(latin1(line, 0, line.at(-1) === CR ? line.length - 1 : line.length));
    this.line = EMPTY;
    this.lineBytes = 0;
    return operation === undefined || onOperation(operation) ? end + 1 : chunk.length;
  }

  private keepLine(piece: Uint8Array): void {
    const length = this.lineBytes + piece.length;
    if (length > this.line.length) {
      const larger = new Uint8Array(2 * length);
      larger.set(this.line.subarray(0, this.lineBytes));
      this.line = larger;
    }
    this.line.set(piece, this.lineBytes);
    this.lineBytes = length;
  }

  private checkPartialLine(piece: Uint8Array): void {
    const length = this.lineBytes + piece.length;
    const { controlLineBytesMax, dialect } = this.options;
    if (length < NAME_BYTES_MAX) return;
    if (this.lineBytes < NAME_BYTES_MAX) {
      const kept = this.line.subarray(0, this.lineBytes);
      const start = latin1(concat([kept, piece.subarray(0, NAME_BYTES_MAX)])).toUpperCase();
      if (!NAMES[dialect].some((name) => start.startsWith(name))) throw unknownOperation(start);
    }
    if (length > controlLineBytesMax + NAME_BYTES_MAX) throw lineTooLong(length, controlLineBytesMax);
  }

  private takePayload(chunk: Uint8Array, at: number, pending: Pending): number {
    const need = pending.totalBytes + 2 - this.have;
    const part = chunk.subarray(at, at + need);
    // A view keeps its whole chunk alive: an unfinished message keeps copies of its own bytes only.
    this.parts.push(part.length < need ? new Uint8Array(part) : part);
    this.have += part.length;
    return at + part.length;
  }

  private finishPayload(pending: Pending): NatsPublish {
    const bytes = this.parts.length === 1 ? this.parts[0]! : concat(this.parts);
    this.parts = [];
    this.have = 0;
    this.pending = undefined;
    return publication(pending, bytes, 0, pending.totalBytes);
  }

  private readLine(line: string): NatsOperation | undefined {
    const match = /^([A-Za-z]+[+-]?|\+OK|-ERR)/.exec(line);
    const name = match?.[1]?.toUpperCase() ?? "";
    if (name.startsWith("PING")) return { op: "ping" };
    if (name.startsWith("PONG")) return { op: "pong" };
    if (name.startsWith("+OK")) return { op: "ok" };
    if (!NAMES[this.options.dialect].includes(name)) throw unknownOperation(line);
    const rest = line.slice(name.length);
    if (rest.length - 1 > this.options.controlLineBytesMax)
      throw lineTooLong(rest.length - 1, this.options.controlLineBytesMax);
    if (name === "-ERR") return { op: "error", text: rest.trim().replace(/^'|'$/g, "") };
    if (!/^[ \t]/.test(rest)) throw unknownOperation(line);
    if (name === "CONNECT") return { op: "connect", text: rest.trim() };
    if (name === "INFO") return { op: "info", text: rest.trim() };
    return this.readArguments(name, splitArguments(rest.slice(1)));
  }

  private readArguments(name: string, args: readonly string[]): NatsOperation | undefined {
    const [first = "", second = "", third = ""] = args;
    switch (name) {
      case "PUB":
        this.expectPayload(name, args, 1, clientAddress);
        return undefined;
      case "HPUB":
        this.expectPayload(name, args, 2, clientAddress);
        return undefined;
      case "LMSG":
        this.expectPayload(name, args, 1, leafAddress);
        return undefined;
      case "HMSG":
        this.expectPayload(name, args, 2, leafAddress);
        return undefined;
      case "SUB":
        if (args.length === 2) return { op: "sub", subject: first, queue: "", sid: second };
        if (args.length === 3) return { op: "sub", subject: first, queue: second, sid: third };
        break;
      case "UNSUB":
        if (args.length === 1) return { op: "unsub", sid: first, max: 0 };
        if (args.length === 2) return { op: "unsub", sid: first, max: Math.max(0, readSize(second)) };
        break;
      case "LS+":
        if (args.length === 1) return { op: "leaf-sub", subject: first, queue: "", weight: 1 };
        if (args.length === 3 && readSize(third) > 0)
          return { op: "leaf-sub", subject: first, queue: second, weight: readSize(third) };
        break;
      case "LS-":
        if (args.length === 1 || args.length === 2)
          return { op: "leaf-unsub", subject: first, queue: second };
    }
    throw badArguments(name, args);
  }

  /** Reads the line before a payload: the address, then `sizes` numbers, the last of which is the total. */
  private expectPayload(
    name: string,
    args: readonly string[],
    sizes: 1 | 2,
    address: (args: readonly string[]) => Pick<Pending, "subject" | "reply" | "queues"> | undefined,
  ): void {
    const to = args.length > sizes ? address(args.slice(0, -sizes)) : undefined;
    const totalBytes = readSize(args.at(-1) ?? "");
    const headerBytes = sizes === 1 ? 0 : readSize(args.at(-2) ?? "");
    if (to === undefined || totalBytes < 0 || headerBytes < 0 || headerBytes > totalBytes)
      throw badArguments(name, args);
    if (totalBytes > this.options.payloadBytesMax) {
      throw new LimitError(
        "nats-payload",
        `a payload of ${totalBytes} bytes exceeds ${this.options.payloadBytesMax}`,
        {
          data: { reply: NATS_ERROR.payload },
        },
      );
    }
    this.pending = { ...to, headerBytes, totalBytes };
  }
}

/** The message that is `bytes` from `start` to `end`. @throws FormatError when CRLF does not follow */
function publication(pending: Pending, bytes: Uint8Array, start: number, end: number): NatsPublish {
  if (bytes[end] !== CR || bytes[end + 1] !== LF) {
    throw new FormatError("nats-payload-end", `expected CRLF after ${end - start} bytes of payload`, {
      data: { reply: NATS_ERROR.operation },
    });
  }
  const { subject, reply, queues, headerBytes } = pending;
  return { op: "pub", subject, reply, queues, headerBytes, bytes, start, end };
}

/** Whether the `count` bytes at `b` are those at `a`. */
function isSame(chunk: Uint8Array, a: number, b: number, count: number): boolean {
  if (b + count > chunk.length) return false;
  // What differs, differs at the end: sizes, replies.
  for (let i = count - 1; i >= 0; i--) if (chunk[a + i] !== chunk[b + i]) return false;
  return true;
}

function clientAddress(args: readonly string[]): Pick<Pending, "subject" | "reply" | "queues"> | undefined {
  return args.length > 2 ? undefined : { subject: args[0]!, reply: args[1] ?? "", queues: [] };
}

function leafAddress(args: readonly string[]): Pick<Pending, "subject" | "reply" | "queues"> | undefined {
  const [subject = "", second = "", third = ""] = args;
  if (second === "+") {
    return args.length < 4 ? undefined : { subject, reply: third, queues: args.slice(3) };
  }
  if (second === "|") {
    return args.length < 3 ? undefined : { subject, reply: "", queues: args.slice(2) };
  }
  return args.length > 2 ? undefined : { subject, reply: second, queues: [] };
}

/** Arguments are parted by blanks and tabs; nearly always by one blank. */
function splitArguments(rest: string): string[] {
  const parts = rest.split(" ");
  if (!parts.includes("") && !rest.includes("\t")) return parts;
  return rest.trim() === "" ? [] : rest.trim().split(/[ \t]+/);
}

/** A decimal number of bounded length, or -1. */
function readSize(digits: string): number {
  return /^\d+$/.test(digits) && digits.length <= NATS_SIZE_DIGIT_MAX_COUNT ? Number(digits) : -1;
}

function unknownOperation(line: string): FormatError {
  return new FormatError(
    "nats-operation",
    `expected a NATS operation, got ${JSON.stringify(line.slice(0, 32))}`,
    {
      data: { reply: NATS_ERROR.operation },
    },
  );
}

function lineTooLong(length: number, limit: number): LimitError {
  return new LimitError("nats-control-line", `a control line of ${length} bytes exceeds ${limit}`, {
    data: { reply: NATS_ERROR.controlLine },
  });
}

function badArguments(name: string, args: readonly string[]): FormatError {
  return new FormatError(
    "nats-arguments",
    `${name} cannot have the arguments ${JSON.stringify(args.join(" ").slice(0, 200))}`,
  );
}
