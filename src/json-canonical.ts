/**
 * JSON in one form for each value, so that equal values are equal texts: no white space, members in the order of the
 * bytes of their names, numbers and strings as `JSON.stringify` writes them. Depth is bounded.
 */
import { rawOf } from "./artifact-escape.ts";
import { LimitError } from "./errors.ts";
import { JSON_MAX_DEPTH } from "./limits.ts";

/** @throws LimitError `json-depth` */
export function canonicalJson(value: unknown, depth = 0): string {
  if (depth > JSON_MAX_DEPTH) {
    throw new LimitError("json-depth", `JSON of more than ${JSON_MAX_DEPTH} levels`);
  }
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item, depth + 1)).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .map(([name, member]) => [rawOf(name), name, member] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, name, member]) => `${JSON.stringify(name)}:${canonicalJson(member, depth + 1)}`);
  return `{${members.join(",")}}`;
}
