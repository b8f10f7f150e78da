/**
 * Sync messages made by chance, from a seed: valid ones, odd ones, hostile ones. To all of these a server of
 * ours must answer as stock does, and its tables must come out the same. What we deliberately answer otherwise
 * is in `DIFFERENCES`, each with the row of docs/sync-protocol.md that tells why.
 */
import { concat, utf8 } from "../../src/bytes.ts";
import { createDelta } from "../../src/delta-encode.ts";
import { type Hash, hashContent } from "../../src/hash.ts";
import { type Random, randomBelow, seededRandom } from "../../src/random.ts";
import { packBlob } from "../../src/zlib.ts";
import { hex, type Login } from "../sync-exchange.ts";
import { FILE_TIME, FILES, loginOf, type MessageBase, PEOPLE } from "./message-base.ts";

export type Part = string | Uint8Array;

export interface MadeMessage {
  readonly parts: readonly Part[];
  readonly login: Login | undefined;
  /** What it is made of, for a failure message. */
  readonly kind: string;
}

const VERSION = "pragma client-version 22900 20260821 165942\n";
export const sha3 = (content: Part) =>
  hashContent(typeof content === "string" ? utf8(content) : content, "sha3-256");

/** One random message and everything that goes into it. */
export class MessageMaker {
  private readonly random: Random;

  constructor(
    private readonly base: MessageBase,
    seed: number,
    /** Leave out what only 2.29 does like us. */
    private readonly isOldStock: boolean,
  ) {
    this.random = seededRandom(BigInt(seed));
  }

  message(): MadeMessage {
    const kinds = [() => this.artifacts(), () => this.data(), () => this.odd(), () => this.hostile()];
    return this.pick(kinds)();
  }

  /** A pull, push, sync or clone. */
  private artifacts(): MadeMessage {
    const isPrivate = this.chance(0.25);
    const login = isPrivate ? loginOf("full") : this.anyLogin();
    const mayPush = login !== undefined && login.user !== "reader1" && login.user !== "uma";
    const isPush = this.chance(0.6) && (mayPush || this.chance(0.3));
    const parts: Part[] = isPrivate ? ["pragma send-private\n"] : [];
    parts.push(this.chance(0.9) ? VERSION : "pragma client-version 22100\n");
    if (this.chance(0.12))
      parts.push(this.pick(["clone 3 1\n", "clone 2 1\n", "clone\n", "clone 3 3\n", "clone 3 999\n"]));
    if (this.chance(0.7)) parts.push(`pull x ${this.base.projectCode}\n`);
    if (isPush) parts.push(`push x ${this.base.projectCode}\n`);
    for (let i = randomBelow(this.random, 9); i > 0; i--) {
      parts.push(this.pick(this.artifactCards(isPush && mayPush, isPrivate, mayPush))());
    }
    return { parts, login, kind: "artifacts" };
  }

  private artifactCards(isPush: boolean, isPrivate: boolean, mayPush: boolean): (() => Part)[] {
    const cards: (() => Part)[] = [
      () => `gimme ${this.anyHash()}\n`,
      () => "pragma send-catalog\n",
      () => "pragma req-clusters\n",
      () => "cookie x\n",
      () => "# a comment\n",
      () => `pragma ci-unlock ${hex(this.pick(["e", "f"]))}\n`,
    ];
    if (mayPush && !this.isOldStock) cards.push(() => `pragma ci-lock ${this.base.leaf} ${hex("e")}\n`);
    if (isPush) {
      const source = this.base.publicHashes[0]!;
      cards.push(
        () => `igot ${this.anyHash()}\n`,
        () => `igot ${hex(this.pick(["a", "b", "c"]), 64)} 1\n`,
        () => `igot ${this.base.shunned}\n`,
        () => this.file(this.someText()),
        () => this.delta(source, this.base.contents.get(source)!, this.someText()),
        () => this.delta(hex("e", 64), utf8("of some length ".repeat(9)), `waiting ${this.someText()}`),
        () => this.file(this.pick(["", "\n", "\0\xff", "x"])),
        () => this.manifestLike(),
      );
    }
    if (isPush && isPrivate)
      cards.push(() => concat([utf8("private\n"), asBytes(this.file(`private ${this.someText()}`))]));
    return cards;
  }

  /** Unversioned files and configuration. */
  private data(): MadeMessage {
    const login = this.pick([undefined, loginOf("full"), loginOf("uma"), loginOf("dev"), loginOf("full")]);
    const mayWriteFiles = login?.user === "full" || login?.user === "uma";
    const parts: Part[] = [VERSION];
    const cards: (() => Part)[] = [
      () => `pragma uv-hash ${this.chance(0.4) ? this.base.catalogHash : hex("a")}\n`,
      () => `uvgimme ${this.fileName()}\n`,
      () => `uvgimme ${this.fileName()}\n`,
      () => `reqconfig /${this.pick(AREAS)}\n`,
      () => `reqconfig /${this.pick(AREAS)}\n`,
    ];
    if (mayWriteFiles || (!this.isOldStock && this.chance(0.1))) {
      cards.push(
        () => this.uvfile(),
        () => this.uvfile(),
        () => this.uvfile(),
      );
    }
    if (login?.user === "dev" || login?.user === "full") {
      cards.push(
        () => this.configRow(),
        () => this.configRow(),
        () => this.configRow(),
      );
    } else if (this.chance(0.1)) {
      cards.push(() => this.configRow());
    }
    for (let i = 1 + randomBelow(this.random, 6); i > 0; i--) parts.push(this.pick(cards)());
    return { parts, login, kind: "data" };
  }

  private uvfile(): Part {
    const name = this.fileName();
    const mtime = this.pick([
      0,
      1,
      FILE_TIME - 1,
      FILE_TIME,
      FILE_TIME,
      FILE_TIME + 1,
      FILE_TIME + 100,
      2 ** 33,
    ]);
    if (this.chance(0.25)) return `uvfile ${name} ${mtime} - 0 1\n`;
    const known = FILES.find(([file]) => file === name)?.[1];
    // What is here, its time alone; then the content may be left out.
    if (known !== undefined && name !== "gone" && this.chance(0.3)) {
      return `uvfile ${name} ${mtime} ${sha3(known)} ${known.length} 4\n`.replace(" 0 4", " 0 0");
    }
    const content = this.pick([known ?? "new", "newer", "", "long ".repeat(99)]);
    return `uvfile ${name} ${mtime} ${sha3(content)} ${content.length} 0\n${content}`;
  }

  private configRow(): Part {
    const time = this.pick([0, 1, FILE_TIME - 1, FILE_TIME, FILE_TIME + 1, FILE_TIME + 2]);
    const text = () => `'${this.pick(["", "x", "it''s", "a b\nc", "ünï", "''"])}'`;
    const literal = () => this.pick([text, text, () => "NULL", () => "17", () => "x'00ff'", () => "X''"])();
    const rows: readonly (readonly [table: string, keys: readonly string[], columns: readonly string[]])[] = [
      ["/config", this.isOldStock ? SETTINGS.filter((name) => name !== "th1-setup") : SETTINGS, ["value"]],
      [
        "/user",
        ["uma", "reader1", "nobody", "zoe", "o''neil"],
        ["pw", "cap", "info", "photo", "jx", "later"],
      ],
      ["/shun", [this.base.shunned, hex("9"), "short"], ["scom"]],
      ["/reportfmt", ["All Tickets", "Mine"], ["owner", "cols", "sqlcode", "jx"]],
      ["/concealed", [hex("c"), hex("8")], ["content"]],
      [
        "/subscriber",
        ["a@example.org", "b@example.org"],
        ["suname", "sdigest", "sdonotcall", "ssub", "sctime", "smip"],
      ],
    ];
    const [table, keys, columns] = this.pick(rows);
    const values = columns.filter(() => this.chance(0.6)).map((column) => ` ${column} ${literal()}`);
    return config(table, `${time} '${this.pick(keys)}'${values.join("")}`);
  }

  /** Cards that are none, logins that are none, rows that are none: whatever stock shrugs off in its own way. */
  private odd(): MadeMessage {
    const login = this.pick([
      undefined,
      loginOf("full"),
      loginOf("reader1"),
      loginOf("nobody"),
      loginOf("anonymous"),
    ]);
    const bad = this.pick([
      undefined,
      undefined,
      { user: "full", password: "wrong" },
      { user: "nobody-here", password: "pw" },
      { user: "developer", password: "pw" },
    ]);
    const parts: Part[] = this.chance(0.8) ? [VERSION] : [];
    if (this.chance(0.4)) parts.push(`pull x ${this.base.projectCode}\n`);
    const pool = login?.user === "full" ? [...ODD_LINES, ...ODD_ROWS] : ODD_LINES;
    for (let i = 1 + randomBelow(this.random, 4); i > 0; i--) parts.push(this.pick(pool)(this.base));
    return { parts, login: bad ?? login, kind: "odd" };
  }

  /** Words that look like a card, put together without sense. */
  private hostile(): MadeMessage {
    const login = this.pick([undefined, loginOf("full"), loginOf("pusher"), loginOf("reader1")]);
    const mayPush = login?.user === "full" || login?.user === "pusher";
    const parts: Part[] = [VERSION];
    if (this.chance(0.4)) parts.push(`pull x ${this.base.projectCode}\n`);
    if (mayPush && this.chance(0.5)) parts.push(`push x ${this.base.projectCode}\n`);
    // A second login is answered otherwise: see DIFFERENCES.
    const keywords = login === undefined ? [...KEYWORDS, "login"] : KEYWORDS;
    for (let i = 1 + randomBelow(this.random, 5); i > 0; i--) parts.push(this.nonsense(keywords));
    return { parts, login, kind: "hostile" };
  }

  private nonsense(keywords: readonly string[]): string {
    const words = [this.pick(keywords)];
    for (let i = randomBelow(this.random, 5); i > 0; i--) words.push(this.pick([...WORDS, this.anyHash()]));
    return `${words.join(this.pick([" ", " ", " ", "  ", "\t"]))}${this.pick(["\n", "\n", " \n", "\r\n"])}`;
  }

  private fileName(): string {
    return this.pick(["a.txt", "dir/long", "empty", "gone", "new.txt", "größe/x"]);
  }

  private anyHash(): Hash {
    const { publicHashes, privateHashes } = this.base;
    return this.pick([
      this.pick(publicHashes),
      this.pick(privateHashes),
      hex(this.pick(["a", "b", "c"]), 64),
      hex("d"),
    ]);
  }

  private someText(): string {
    return `text ${randomBelow(this.random, 5)} ${"of some length ".repeat(8)}`;
  }

  private manifestLike(): Part {
    const text = this.pick(["C a\nD 2024-01-01T00:00:00\nZ 0\n", "A x\n", "C comment\n", "D 2024\n"]);
    return this.file(text);
  }

  private file(content: string): Part {
    const bytes = Buffer.from(content, "latin1");
    return concat([utf8(`file ${sha3(bytes)} ${bytes.length}\n`), bytes]);
  }

  private delta(source: Hash, from: Uint8Array, content: string): Part {
    const delta = createDelta(from, utf8(content));
    return concat([utf8(`file ${sha3(content)} ${source} ${delta.length}\n`), delta]);
  }

  private anyLogin(): Login | undefined {
    return this.pick([undefined, ...Object.keys(PEOPLE).map(loginOf)]);
  }

  private pick<T>(values: readonly T[]): T {
    return values[randomBelow(this.random, values.length)]!;
  }

  private chance(probability: number): boolean {
    return this.random.float() < probability;
  }
}

/** Of cards and pragmas that bring no payload along, or that cannot with words such as these. */
const KEYWORDS = [
  ...["gimme", "igot", "pull", "push", "clone", "cookie", "reqconfig", "uvgimme", "uvigot", "clone_seqno"],
  ...["pragma", "pragma uv-hash", "pragma ci-unlock", "pragma client-version", "pragma send-catalog"],
  ...["file", "uvfile", "message", "pragma req-clusters", "GIMME", "igot\0", "'", "<script>", "-", "\\s"],
];

const WORDS = [
  ...["0", "1", "-1", "2147483648", "99999999999999999999", "1e9", "0x10", "", "x", "-", "'", "%s%n", "\\n"],
  ...["../../etc/passwd", "/skin", "/config", "a.txt", "a\0b", "\xff\xfe", "a".repeat(300), "0".repeat(39)],
  ...["z".repeat(40), hex("a", 41), hex("b", 63)],
];

const AREAS = [
  ...[
    "email",
    "project",
    "skin",
    "css",
    "shun",
    "ticket",
    "user",
    "xfer",
    "alias",
    "subscriber",
    "interwiki",
    "all",
  ],
  ...["s", "sk", "us", "a", "al", "i", "nowhere", "skins", "CSS"],
];

const SETTINGS = [
  ...["css", "header", "logo-image", "project-name", "ignore-glob", "ticket-common", "xfer-push-script"],
  ...[
    "walias:/x",
    "walias:/new",
    "walias:no",
    "interwiki:w",
    "interwiki:new",
    "user-color-map",
    "hash-policy",
  ],
  ...["project-code", "autosync", "last-sync-url", "th1-setup", "css2", "ci-lock-x"],
];

const asBytes = (part: Part) => (typeof part === "string" ? utf8(part) : part);

export function config(table: string, row: string): string {
  return `config ${table} ${utf8(row).length}\n${row}\n`;
}

type Line = (base: MessageBase) => Part;

const line =
  (text: string): Line =>
  () =>
    text;

/** What anybody can send. */
const ODD_LINES: readonly Line[] = [
  ...[
    "frobnicate\n",
    "FILE x\n",
    "igot\n",
    "igot zz\n",
    `igot ${hex("a")} 1 2 3 4 5 6 7\n`,
    "gimme\n",
    "gimme zz\n",
    `gimme ${hex("a")} x\n`,
    "clone_seqno 1\n",
    "message hello\n",
    "error hello\n",
    "uvigot a 1 - 0\n",
    "reqconfig\n",
    "reqconfig skin\n",
    "reqconfig skin css\n",
    "reqconfig /\n",
    "uvgimme\n",
    "uvgimme /etc/passwd\n",
    "uvgimme ../a.txt\n",
    "uvgimme a.txt b\n",
    "uvgimme dir//long\n",
    "cookie\n",
    "cookie a b\n",
    "login full\n",
    "login a b c d\n",
    "pull\n",
    "pull x\n",
    "pull x zz\n",
    `pull x ${hex("0")}\n`,
    `push x ${hex("0")}\n`,
    "pragma\n",
    "pragma unheard of\n",
    "pragma uv-hash\n",
    "pragma uv-hash zz\n",
    "pragma ci-lock\n",
    "pragma ci-lock zz me\n",
    `pragma ci-unlock zz\n`,
    "pragma ci-unlock\n",
    "pragma req-clusters extra words\n",
    "pragma send-catalog 1\n",
    "pragma client-version\n",
    "pragma client-version x y z\n",
    "pragma client-version 22900\n",
    "  gimme\n",
    "\t\n",
    "   \n",
    "\n",
    "# \0 \xff\n",
    "ümläut\n",
    "config\n",
    "config /config\n",
    "config /config x\n",
    `${"x".repeat(5000)}\n`,
    "bad command with ' quotes \" and <html> & so on\n",
    "back\\slash\\s\n",
  ].map(line),
  ({ publicHashes }) => `gimme ${publicHashes[0]!.slice(0, 39)}\n`,
  ({ projectCode }) => `pull x ${projectCode} more\n`,
];

/** What only an administrator is listened to with: rows that are none, or not to be taken. */
const ODD_ROWS: readonly Line[] = [
  ["/config", "1700000005"],
  ["/config", "x 'css' value 'y'"],
  ["/config", "-5 'css' value 'y'"],
  ["/config", "1700000005.5 'css' value 'y'"],
  ["/config", "1700000005 'css"],
  ["/config", "1700000005 'css' value 'y"],
  ["/config", "1700000005 'css' value y);DELETE/**/FROM/**/blob"],
  ["/config", "1700000005 'css' value 'y');DELETE FROM blob;--'"],
  ["/config", "1700000005 'css' value 'y'x 'z'"],
  ["/config", "1700000005 'css' va-lue 'y'"],
  ["/config", "1700000005 'css' other 'y'"],
  ["/config", "1700000005 'css' other y value 'z'"],
  ["/config", "1700000005 'css' value 1.5"],
  ["/config", "1700000005 'css'"],
  ["/config", "1700000005 'cs''s' value 'y'"],
  ["/user", "1700000005 'zoe' cap 's' uid '1'"],
  ["/user", "1700000005 'zoe' login 'dev'"],
  ["/blob", "1700000005 'x' content 'y'"],
  ["/sqlite_schema", "1700000005 'x' sql 'y'"],
  ["/CONFIG", "1700000005 'css' value 'y'"],
  ["/", "1700000005 'css' value 'y'"],
  ["css", "body"],
  ["project-name", "Old form"],
  ["/config", ""],
].map(([table, row]) => line(config(table!, row!)));

export interface Difference {
  /** First column of the row in docs/sync-protocol.md. */
  readonly what: string;
  readonly login: string;
  parts(base: MessageBase): readonly Part[];
}

/** Messages that are answered otherwise on purpose: ours leave every table as it was. */
export const DIFFERENCES: readonly Difference[] = [
  {
    what: "a second login",
    login: "pusher",
    parts: () => [VERSION, "login a b c\n"],
  },
  {
    what: "content that is not what its name says",
    login: "pusher",
    parts: ({ projectCode }) => [`push x ${projectCode}\n`, `file ${hex("a", 64)} 5\nwrong`],
  },
  {
    what: "damaged, truncated or oversized messages",
    login: "pusher",
    parts: ({ projectCode }) => [
      `push x ${projectCode}\n`,
      `igot ${hex("7")}\n`,
      `file ${sha3("whole")} 50\nwhole`,
    ],
  },
  {
    what: "`private` + `file` without the right `x`",
    login: "pusher",
    parts: ({ projectCode }) => [`push x ${projectCode}\n`, `private\nfile ${sha3("hidden")} 6\nhidden`],
  },
  {
    what: "`igot HASH 1` of a public artifact",
    login: "pusher",
    parts: ({ projectCode, publicHashes }) => [`push x ${projectCode}\n`, `igot ${publicHashes[0]} 1\n`],
  },
  {
    what: "`cfile` in a push",
    login: "pusher",
    parts: ({ projectCode }) => {
      const stored = packBlob(utf8("not what it is named"));
      return [`push x ${projectCode}\n`, `cfile ${hex("a", 64)} 20 ${stored.length}\n`, stored, "\n"];
    },
  },
  {
    what: "upper-case hashes",
    login: "pusher",
    parts: ({ projectCode }) => [`push x ${projectCode}\n`, `igot ${hex("A")}\n`],
  },
  {
    what: "`ci-lock` without the right to push",
    login: "reader1",
    parts: ({ leaf }) => [`pragma ci-lock ${leaf} ${hex("e")}\n`],
  },
  {
    what: "`uvfile` whose content was left out or is not there",
    login: "uma",
    parts: () => [VERSION, `uvfile a.txt ${FILE_TIME + 5} ${sha3("another")} 7 4\n`],
  },
  {
    what: "`uvfile` whose content was left out or is not there",
    login: "uma",
    parts: () => [VERSION, `uvfile new.txt ${FILE_TIME + 5} ${sha3("another")} 0 0\n`],
  },
  {
    what: "rows of configuration with odd literals",
    login: "dev",
    parts: () => [config("/config", `${FILE_TIME + 5} 'css' value 0x10`)],
  },
  {
    what: "rows of configuration with odd literals",
    login: "dev",
    parts: () => [config("/user", `${FILE_TIME + 5} 77 cap 's'`)],
  },
  {
    what: "rows of configuration with odd literals",
    login: "dev",
    parts: () => [config("/config", `${FILE_TIME + 5} 'css' value 'a' value 'b'`)],
  },
  {
    what: "a ticket table that cannot be made",
    login: "dev",
    parts: () => [config("/config", `${FILE_TIME + 5} 'ticket-table' value 'CREATE TABLE blob2(x)'`)],
  },
];
