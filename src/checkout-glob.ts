/**
 * Lists of patterns, as settings such as `ignore-glob` hold them: patterns parted by commas or white space,
 * each perhaps in single or double quotes, in which commas and white space are part of it. A name matches
 * the list when it matches one of them whole.
 *
 * In a pattern `*` stands for any characters, `/` among them, `?` for one, `[…]` for one of a set (`^` first:
 * one not of it; `a-b`: a range; `]` first: itself). Letters match in their case only.
 *
 * Source: Fossil `src/glob.c`, SQLite's GLOB.
 */

/** Tells which pattern of a list a name matches first. */
export class GlobList {
  readonly patterns: readonly string[];
  private readonly matchers: readonly RegExp[];

  /** @param list as in the setting; `undefined` matches nothing */
  constructor(list: string | undefined) {
    this.patterns = parse(list ?? "");
    this.matchers = this.patterns.map((pattern) => new RegExp(`^${toRegExp(pattern)}$`, "su"));
  }

  matches(name: string): boolean {
    return this.matchers.some((matcher) => matcher.test(name));
  }
}

const ITEM = /(?:'([^']*)(?:'|$))|(?:"([^"]*)(?:"|$))|([^\s,]+)/g;

function parse(list: string): string[] {
  return [...list.matchAll(ITEM)].map(([, single, double, plain]) => single ?? double ?? plain ?? "");
}

function toRegExp(pattern: string): string {
  let made = "";
  for (let i = 0; i < pattern.length; ) {
    const char = String.fromCodePoint(pattern.codePointAt(i)!);
    i += char.length;
    if (char === "*") made += ".*";
    else if (char === "?") made += ".";
    else if (char === "[") {
      const set = readSet(pattern, i);
      if (set === undefined) return NOTHING;
      made += set.source;
      i = set.end;
    } else made += literal(char);
  }
  return made;
}

/** Matches no name: a set that does not end does so. */
const NOTHING = "(?!)";

function readSet(pattern: string, start: number): { source: string; end: number } | undefined {
  let at = start;
  const isInverted = pattern[at] === "^";
  if (isInverted) at++;
  const end = pattern.indexOf("]", pattern[at] === "]" ? at + 1 : at);
  if (end < 0) return undefined;
  const chars = [...pattern.slice(at, end)];
  const parts: string[] = [];
  // What a range may begin with: no range's end, and not a first `]`.
  let low: string | undefined;
  for (let i = 0; i < chars.length; i++) {
    const [char, next] = [chars[i]!, chars[i + 1]];
    if (char === "-" && low !== undefined && next !== undefined) {
      if (low.codePointAt(0)! <= next.codePointAt(0)!) parts.push(`${literal(low)}-${literal(next)}`);
      low = undefined;
      i++;
    } else {
      parts.push(literal(char));
      low = char === "]" ? undefined : char;
    }
  }
  return { source: `[${isInverted ? "^" : ""}${parts.join("")}]`, end: end + 1 };
}

const literal = (char: string) => (/[\w]/.test(char) ? char : `\\u{${char.codePointAt(0)!.toString(16)}}`);
