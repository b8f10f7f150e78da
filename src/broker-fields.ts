/** The JSON of INFO and CONNECT as it comes from a peer: an object whose fields may be missing or of any type. */
import type { Credentials } from "./broker-auth.ts";

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

/**
 * The credentials in a leafnode's CONNECT. nats-server sends what stands before @ in its remote's URL as the user's
 * name, a token, too.
 */
export function leafCredentials(fields: Fields): Credentials {
  const given = ["user", "pass", "auth_token", "nkey", "sig"].flatMap((name) => {
    const value = stringField(fields, name);
    return value === "" ? [] : [[name, value]];
  });
  const credentials: Credentials = Object.fromEntries(given);
  const { user, pass } = credentials;
  return user !== undefined && pass === undefined ? { auth_token: user, ...credentials } : credentials;
}
