/**
 * Reads the NATS protocol. The parser is fed bytes in any split and yields operations; it never touches a
 * socket. Grammar: see `nats-protocol`. As nats-server does, it takes operation names in either case, blanks
 * and tabs between arguments, a bare LF after a control line, and anything after PING, PONG and +OK; after a
 * payload it insists on CRLF.
 *
 * Bounds, each checked before bytes are kept: a control line's arguments, the digits of a size, a payload. A
 * line or payload that is not complete is copied; a complete one in one chunk is a view of the chunk.
 *
 * Errors are FormatError or LimitError; `data.reply` is the -ERR text that nats-server answers with before it
 * closes, absent where it closes in silence. After an error the parser must not be fed again.
 */
import { concat, EMPTY, latin1 } from "./bytes.ts";
import { FormatError, LimitError } from "./errors.ts";
import { NATS_SIZE_DIGIT_MAX_COUNT } from "./limits.ts";
import { NATS_ERROR, type NatsMessage, type NatsOperation } from "./nats-protocol.ts";

export interface ParserOptions {
  /** Which operations are understood: those that clients send, or those of leafnodes. */
  readonly dialect: "client" | "leaf";
  readonly controlLineBytesMax: number;
  payloadBytesMax: number;
}

interface Pending {
  readonly subject: string;
  readonly reply: string;
  readonly queues: readonly string[];
  readonly headerBytes: number;
  readonly totalBytes: number;
}

const LF = 10;
const CR = 13;
/** The longest operation name and its blank: "CONNECT ". */
const NAME_BYTES_MAX = 8;
/** Lines below this are within any limit on control lines that makes sense, and take the short way. */
const SHORT_LINE_BYTES = 64;
const NAMES: Readonly<Record<ParserOptions["dialect"], readonly string[]>> = {
  client: ["PUB", "HPUB", "SUB", "UNSUB", "CONNECT", "INFO", "PING", "PONG", "+OK", "-ERR"],
  leaf: ["LMSG", "HMSG", "LS+", "LS-", "CONNECT", "INFO", "PING", "PONG", "+OK", "-ERR"],
};

export class NatsParser {
  /** The part of a control line that has come so far. */
  private line: Uint8Array = EMPTY;
  private pending: Pending | undefined;
  private parts: Uint8Array[] = [];
  private have = 0;

  constructor(private readonly options: ParserOptions) {}

  /**
   * Takes the next bytes and passes each operation that is now complete to `onOperation`. Stops early when
   * that returns false; the rest of `chunk` is then dropped.
   *
   * @throws FormatError `nats-operation`, `nats-arguments`, `nats-payload-end`
   * @throws LimitError `nats-control-line`, `nats-payload`
   */
  feed(chunk: Uint8Array, onOperation: (operation: NatsOperation) => boolean): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.pending !== undefined) {
        at = this.takePayload(chunk, at, this.pending);
        if (this.pending === undefined || this.have < this.pending.totalBytes + 2) continue;
        if (!onOperation(this.finishPayload(this.pending))) return;
        continue;
      }
      const end = chunk.indexOf(LF, at);
      const piece = chunk.subarray(at, end < 0 ? chunk.length : end);
      if (end < 0) {
        this.checkPartialLine(piece);
        this.line = concat([this.line, piece]);
        return;
      }
      at = end + 1;
      if (piece.length > this.options.controlLineBytesMax) this.checkPartialLine(piece);
      const line = this.line.length === 0 ? piece : concat([this.line, piece]);
      this.line = EMPTY;
      const operation = this.readLine(latin1(line, 0, line.at(-1) === CR ? line.length - 1 : line.length));
      if (operation !== undefined && !onOperation(operation)) return;
    }
  }

  private checkPartialLine(piece: Uint8Array): void {
    const length = this.line.length + piece.length;
    const { controlLineBytesMax, dialect } = this.options;
    if (length < NAME_BYTES_MAX) return;
    if (this.line.length < NAME_BYTES_MAX) {
      const start = latin1(concat([this.line, piece.subarray(0, NAME_BYTES_MAX)])).toUpperCase();
      if (!NAMES[dialect].some((name) => start.startsWith(name))) throw unknownOperation(start);
    }
    if (length > controlLineBytesMax + NAME_BYTES_MAX) throw lineTooLong(length, controlLineBytesMax);
  }

  private takePayload(chunk: Uint8Array, at: number, pending: Pending): number {
    const need = pending.totalBytes + 2 - this.have;
    const part = chunk.subarray(at, at + need);
    // A view keeps its whole chunk alive: an unfinished message keeps copies of its own bytes only.
    this.parts.push(part.length < need ? part.slice() : part);
    this.have += part.length;
    return at + part.length;
  }

  private finishPayload(pending: Pending): NatsOperation {
    const bytes = this.parts.length === 1 ? this.parts[0]! : concat(this.parts);
    const { subject, reply, queues, headerBytes, totalBytes } = pending;
    this.parts = [];
    this.have = 0;
    this.pending = undefined;
    if (bytes[totalBytes] !== CR || bytes[totalBytes + 1] !== LF) {
      throw new FormatError("nats-payload-end", `expected CRLF after ${totalBytes} bytes of payload`, {
        data: { reply: NATS_ERROR.operation },
      });
    }
    const message: NatsMessage = { subject, reply, headerBytes, body: bytes.subarray(0, totalBytes) };
    return { op: "pub", message, queues };
  }

  private readLine(line: string): NatsOperation | undefined {
    if (line.startsWith("PUB ") && this.options.dialect === "client" && line.length < SHORT_LINE_BYTES) {
      this.expectPayload("PUB", splitArguments(line.slice(4)), 1, clientAddress);
      return undefined;
    }
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
