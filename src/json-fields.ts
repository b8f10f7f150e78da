/**
 * JSON objects off the wire, field by field: each read checks kind and size, a field that is absent is `undefined`
 * unless it is required, unknown fields are passed over, so that a format can grow. The parser of the runtime does
 * the syntax; the caller's bound on the bytes is also the bound on memory and depth.
 */
import { strictText } from "./bytes.ts";
import { FormatError, LimitError } from "./errors.ts";

/** What a field may hold, for the error's words. */
type Kind = "text" | "a whole number" | "a list of texts";

export class JsonFields {
  private constructor(
    private readonly what: string,
    private readonly fields: Readonly<Record<string, unknown>>,
  ) {}

  /**
   * @param what the message as errors name it: "an announcement"
   * @throws LimitError `json-size`; FormatError `json-syntax` unless it is one JSON object in UTF-8
   */
  static parse(bytes: Uint8Array, what: string, maxBytes: number): JsonFields {
    if (bytes.length > maxBytes) {
      throw new LimitError("json-size", `${what} of ${bytes.length} bytes exceeds ${maxBytes}`);
    }
    const text = strictText(bytes);
    if (text === undefined) throw new FormatError("json-syntax", `${what} is not UTF-8`);
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      throw new FormatError("json-syntax", `${what} is not JSON`, { cause });
    }
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new FormatError("json-syntax", `${what} is not a JSON object`);
    }
    return new JsonFields(what, value as Record<string, unknown>);
  }

  /** @throws FormatError `json-field`; LimitError `json-field-size` past `maxLength` UTF-16 units */
  text(name: string, maxLength: number): string | undefined {
    const value = this.own(name);
    if (value === undefined) return undefined;
    if (typeof value !== "string") throw this.wrong(name, "text");
    if (value.length > maxLength) throw this.tooLong(name, value.length, maxLength);
    return value;
  }

  /** A text as `convert` gives it. @throws as `text`, and what `convert` throws */
  convert<T>(name: string, maxLength: number, convert: (value: string) => T): T | undefined {
    const value = this.text(name, maxLength);
    return value === undefined ? undefined : convert(value);
  }

  /** A whole number from 0 to 2^53 - 1. @throws FormatError `json-field` */
  count(name: string): number | undefined {
    const value = this.own(name);
    if (value === undefined) return undefined;
    if (!Number.isSafeInteger(value) || (value as number) < 0) throw this.wrong(name, "a whole number");
    return value as number;
  }

  /** @throws FormatError `json-field`; LimitError `json-field-size` past `maxCount` texts or a text past `maxLength` */
  texts(name: string, maxCount: number, maxLength: number): readonly string[] | undefined {
    const value = this.own(name);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) throw this.wrong(name, "a list of texts");
    if (value.length > maxCount) throw this.tooLong(name, value.length, maxCount);
    for (const item of value) {
      if (typeof item !== "string") throw this.wrong(name, "a list of texts");
      if (item.length > maxLength) throw this.tooLong(name, item.length, maxLength);
    }
    return value as string[];
  }

  /** @throws FormatError `json-field` when it is absent */
  required<T>(name: string, value: T | undefined): T {
    if (value !== undefined) return value;
    throw new FormatError("json-field", `${this.what} lacks the field ${name}`);
  }

  /** `null` counts as absent, as other writers of JSON mean it. */
  private own(name: string): unknown {
    return Object.hasOwn(this.fields, name) ? (this.fields[name] ?? undefined) : undefined;
  }

  private wrong(name: string, expected: Kind): FormatError {
    return new FormatError("json-field", `the field ${name} of ${this.what} is not ${expected}`);
  }

  private tooLong(name: string, length: number, max: number): LimitError {
    return new LimitError(
      "json-field-size",
      `the field ${name} of ${this.what} has ${length} items, over ${max}`,
    );
  }
}
