/**
 * The payload of a `config` card: one row of a table, as words parted by white space.
 *
 *     MTIME KEY COLUMN VALUE COLUMN VALUE …
 *
 *     MTIME     when the row was last changed, seconds since 1970, decimal digits
 *     KEY       SQL literal of the row's key
 *     COLUMN    letters and digits
 *     VALUE     SQL literal of the column's value: 'text' with quotes doubled, x'hex', digits, or NULL
 *
 * A payload that is not such a row is none at all: it has no effect. Neither has a column that the reader
 * does not know, nor a last word without its partner. Here, unlike in stock, a row that names a column
 * twice is none either, and so is one whose key is not well-formed text.
 * Source: Fossil `src/configure.c`, `configure_receive`; fossil-facts C.
 */
import { decodeText, latin1, strictText } from "./bytes.ts";

/** Text (ill-formed UTF-8 kept, see `decodeText`), a blob, a whole number, or NULL. */
export type ConfigValue = string | Uint8Array | bigint | null;

export interface ConfigRow {
  /** Seconds since 1970. */
  readonly mtime: number;
  readonly key: string;
  /** By name of column, those that were asked for. */
  readonly values: ReadonlyMap<string, ConfigValue>;
}

/** @param columns the names to keep; others are passed over */
export function parseConfigRow(content: Uint8Array, columns: readonly string[]): ConfigRow | undefined {
  const words = new RowReader(content);
  const mtime = words.name();
  const key = words.literal();
  if (!/^\d+$/.test(mtime) || Number(mtime) > Number.MAX_SAFE_INTEGER) return undefined;
  if (typeof key !== "string" || !key.isWellFormed()) return undefined;
  const values = new Map<string, ConfigValue>();
  for (;;) {
    const name = words.name();
    if (words.isAtEnd) break;
    const value = words.literal();
    if (!/^(?:[0-9A-Za-z]+|x?'[^']*')$/i.test(name)) return undefined;
    if (!columns.includes(name)) continue;
    if (value === undefined || values.has(name)) return undefined;
    values.set(name, value);
  }
  return { mtime: Number(mtime), key, values };
}

const SPACE = /[ \t-\r]*/y;
const WORD = /[^ \t-\r]*/y;
const INT64_MAX = 2n ** 63n - 1n;

class RowReader {
  private position = 0;
  /** One character per byte. */
  private readonly line: string;

  constructor(private readonly content: Uint8Array) {
    this.line = latin1(content);
  }

  /** The next word, empty at the end. */
  name(): string {
    this.skipSpace();
    return this.word();
  }

  /** The next literal; `undefined` when the next word is none. */
  literal(): ConfigValue | undefined {
    this.skipSpace();
    const start = this.position;
    if (this.line[start] === "'") return this.quoted();
    const word = this.word();
    if (/^\d+$/.test(word)) {
      const value = word.length <= 19 ? BigInt(word) : INT64_MAX + 1n;
      return value <= INT64_MAX ? value : undefined;
    }
    if (/^x'(?:[0-9A-Fa-f]{2})*'$/i.test(word)) return Buffer.from(word.slice(2, -1), "hex");
    return /^null$/i.test(word) ? null : undefined;
  }

  /** From one quote to the next that is not doubled. */
  private quoted(): string | undefined {
    const start = this.position + 1;
    let end = start;
    for (;;) {
      end = this.line.indexOf("'", end);
      if (end < 0) {
        this.position = this.line.length;
        return undefined;
      }
      if (this.line[end + 1] !== "'") break;
      end += 2;
    }
    this.position = end + 1;
    // What follows at once would be neither a word of its own nor part of the text.
    if (this.word() !== "") return undefined;
    const bytes = this.content.subarray(start, end);
    if (bytes.includes(0)) return undefined;
    return (strictText(bytes) ?? decodeText(bytes)).replaceAll("''", "'");
  }

  get isAtEnd(): boolean {
    this.skipSpace();
    return this.position >= this.line.length;
  }

  private word(): string {
    return this.take(WORD);
  }

  private skipSpace(): void {
    this.take(SPACE);
  }

  private take(pattern: RegExp): string {
    pattern.lastIndex = this.position;
    const [found] = pattern.exec(this.line)!;
    this.position += found.length;
    return found;
  }
}
