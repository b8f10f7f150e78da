/**
 * Subjects of NATS: names of what a message is about.
 *
 *     subject  = token *("." token)          tokens are not empty; no space, tab, CR, LF
 *     pattern  = subject in which a whole token may be "*" (one token) or the last one ">" (one or more)
 *
 * A token that only contains a wildcard character ("a*b") is an ordinary one. Matching compares bytes.
 *
 * Inside the broker a subject is a *wire string*: each byte of its UTF-8 form is the character of the same
 * number. `toWire` and `fromWire` convert; for ASCII, which is nearly all, both return their argument.
 *
 * Source: docs.nats.io "Subject-Based Messaging"; edge cases as nats-server 2.9 treats them.
 */

declare const wire: unique symbol;
export type WireSubject = string & { readonly [wire]?: true };

// biome-ignore lint/suspicious/noControlCharactersInRegex: the range is what ASCII means
const ASCII = /^[\x00-\x7f]*$/;

/** The wire string of a subject given as text. */
export function toWire(subject: string): WireSubject {
  return ASCII.test(subject) ? subject : Buffer.from(subject, "utf8").toString("latin1");
}

/** The text of a wire string. */
export function fromWire(subject: WireSubject): string {
  return ASCII.test(subject) ? subject : Buffer.from(subject, "latin1").toString("utf8");
}

/** Whether `subject` may be subscribed to: tokens are not empty and ">" is last. */
export function isValidPattern(subject: string): boolean {
  if (subject === "" || /[ \t\r\n]/.test(subject)) return false;
  const tokens = subject.split(".");
  return tokens.every((token, i) => token !== "" && (token !== ">" || i === tokens.length - 1));
}

/** Whether `subject` may be published to: a valid pattern without wildcards. */
export function isValidSubject(subject: string): boolean {
  return isValidPattern(subject) && !hasWildcard(subject);
}

/** Whether a token of `subject` is "*" or ">". */
export function hasWildcard(subject: string): boolean {
  if (!subject.includes("*") && !subject.includes(">")) return false;
  return subject.split(".").some((token) => token === "*" || token === ">");
}

/** Whether messages on `subject` go to subscribers of the valid `pattern`. */
export function subjectMatches(pattern: string, subject: string): boolean {
  const wanted = pattern.split(".");
  const tokens = subject.split(".");
  for (const [i, token] of wanted.entries()) {
    if (token === ">") return i < tokens.length;
    if (i >= tokens.length || (token !== "*" && token !== tokens[i])) return false;
  }
  return wanted.length === tokens.length;
}
