/** The JSON of INFO and CONNECT as it comes from a peer: an object whose fields may be missing or of any type. */

export type Fields = Readonly<Record<string, unknown>>;

/** The object in a wire string; undefined when it is not one. */
export function readFields(text: string): Fields | undefined {
  try {
    const json: unknown = JSON.parse(Buffer.from(text, "latin1").toString("utf8"));
    return typeof json === "object" && json !== null && !Array.isArray(json) ? (json as Fields) : undefined;
  } catch {
    return undefined;
  }
}

/** A text field; "" when it is missing or something else. */
export function stringField(fields: Fields, name: string): string {
  const value = fields[name];
  return typeof value === "string" ? value : "";
}
