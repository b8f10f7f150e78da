/**
 * Text of artifacts as a parameter of SQL. A string holds bytes that are not UTF-8 as lone surrogates
 * (`artifact-escape.ts`), which SQLite cannot take; stock stores such text as the bytes it is. Bind the
 * value to `CAST(? AS TEXT)`: the cast leaves strings and NULL alone and takes a blob's bytes as text.
 */
import { encodeText } from "./artifact-escape.ts";

export function textParameter(text: string | undefined): string | Uint8Array | null {
  if (text === undefined) return null;
  return text.isWellFormed() ? text : encodeText(text);
}
