/**
 * What a user may do: capability letters. Rules: Fossil `src/login.c`, `src/capabilities.c`; fossil-facts D.
 *
 * A stored string such as `oi` names letters; a letter grants itself and what it implies, and so on:
 *
 *     s → a;   a → every letter of the table but s, x and y
 *     i → o;   k → j m;   w → r n c;   6 → 5 → 4 → 3 → 2
 *     u → all of the user `reader`;   v → all of the user `developer`
 *
 * Neither `s` nor `a` grants `x` (private) or `y` (unversioned). Everybody has the letters of `nobody`;
 * everybody who is logged in has those of `anonymous` too. Unknown letters grant nothing.
 */
import type { Users } from "./repo-user.ts";

/** Every letter that grants something by itself, with what it is for. */
export const CAPABILITIES = {
  s: "setup: configure the repository, without limits",
  a: "administrator: manage users",
  b: "attach files to wiki pages and tickets",
  c: "append to tickets",
  e: "see e-mail addresses and other private contact data",
  f: "make wiki pages",
  g: "clone",
  h: "follow hyperlinks to history",
  i: "check in: push",
  j: "read wiki pages",
  k: "edit wiki pages",
  l: "moderate wiki changes",
  m: "append to wiki pages",
  n: "make tickets",
  o: "check out: pull",
  p: "change the own password",
  q: "moderate ticket changes",
  r: "read tickets",
  t: "make ticket reports",
  w: "edit tickets",
  x: "send and receive private artifacts",
  y: "write unversioned files",
  z: "download archives",
  2: "read forum posts",
  3: "write forum posts, moderated",
  4: "write forum posts, unmoderated",
  5: "moderate forum posts",
  6: "supervise the forum",
  7: "receive e-mail alerts",
  A: "send announcements",
  B: "attach files to forum posts",
  C: "chat",
  D: "use debugging features",
} as const satisfies Record<string, string>;

export type Capability = keyof typeof CAPABILITIES extends infer Key
  ? Key extends number
    ? `${Key}`
    : Key & string
  : never;

const ALL = Object.keys(CAPABILITIES) as Capability[];
const NOT_OF_ADMIN: ReadonlySet<string> = new Set(["s", "x", "y"]);

const IMPLIED: ReadonlyMap<string, readonly string[]> = new Map([
  ["s", ["a"]],
  ["a", ALL.filter((letter) => !NOT_OF_ADMIN.has(letter))],
  ["i", ["o"]],
  ["k", ["j", "m"]],
  ["w", ["r", "n", "c"]],
  ["6", ["5"]],
  ["5", ["4"]],
  ["4", ["3"]],
  ["3", ["2"]],
]);

/** Users whose letters a letter stands for. */
const GROUPS: ReadonlyMap<string, string> = new Map([
  ["u", "reader"],
  ["v", "developer"],
]);

/** The rights of one caller, all inheritance applied. */
export class Capabilities {
  private constructor(private readonly letters: ReadonlySet<string>) {}

  static readonly none = new Capabilities(new Set());

  /**
   * The rights of a caller.
   *
   * @param login as verified; `undefined` for a caller who did not log in. A login that does not exist has
   *   the rights of `nobody`.
   */
  static of(users: Users, login: string | undefined): Capabilities {
    const own = login === undefined ? undefined : users.get(login);
    const letters = new Set<string>();
    const stored = (name: string) => users.get(name)?.capabilities ?? "";
    grant(letters, stored("nobody"), stored);
    if (own !== undefined && own.login !== "nobody") {
      grant(letters, stored("anonymous"), stored);
      grant(letters, own.capabilities, stored);
    }
    return new Capabilities(letters);
  }

  /** Exactly what `letters` grant, without inheritance from anybody. */
  static from(letters: string): Capabilities {
    const granted = new Set<string>();
    grant(granted, letters, () => "");
    return new Capabilities(granted);
  }

  has(letter: Capability): boolean {
    return this.letters.has(letter);
  }

  /** The letters in stock's order: lower-case letters, digits, upper-case letters. */
  toString(): string {
    const rank = (letter: string) => (/[a-z]/.test(letter) ? 0 : /\d/.test(letter) ? 1 : 2);
    return [...this.letters].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1)).join("");
  }
}

function grant(granted: Set<string>, letters: string, capabilitiesOf: (login: string) => string): void {
  const pending = [...letters];
  for (let letter = pending.pop(); letter !== undefined; letter = pending.pop()) {
    const group = GROUPS.get(letter);
    if (granted.has(letter) || !(letter in CAPABILITIES || group !== undefined)) continue;
    granted.add(letter);
    pending.push(...(IMPLIED.get(letter) ?? []));
    if (group !== undefined) pending.push(...capabilitiesOf(group));
  }
}
