/**
 * What people do to a repository after its history was imported, done by stock commands and pages: check-ins by
 * hand (delta manifests, merges, cherrypicks, backouts, private ones, renames), wiki, tickets, technotes,
 * attachments, tags, amendments, branches, unversioned files, users, a forum, shunning, and exchange
 * through a server, which makes clusters. Each topic is one function; `live` runs them in order.
 */
import { mkdirSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { TempDir } from "../temp-dir.ts";
import { type RunOptions, type Stock, StockError } from "./stock.ts";
import { StockBrowser } from "./stock-browser.ts";

/** Password of every user made here. */
export const PASSWORD = "secret one";

export class Life {
  private constructor(
    readonly stock: Stock,
    readonly repository: string,
    private readonly temp: TempDir,
    private readonly checkout: string,
    /** How often the repeatable topics are repeated. */
    private readonly rounds: number,
  ) {}

  /** Opens a checkout in `temp` and does everything. The checkout is closed at the end. */
  static async live(stock: Stock, repository: string, temp: TempDir, rounds: number): Promise<void> {
    const life = new Life(stock, repository, temp, temp.folder("life"), rounds);
    await life.users();
    await life.settings();
    await life.inCheckout(["open", repository, "trunk"]);
    for (let round = 0; round < rounds; round++) {
      await life.checkIns(round);
      await life.wiki(round);
      await life.tickets(round);
      await life.technotes(round);
    }
    await life.tagsAndAmendments();
    await life.branches();
    await life.shun();
    await life.privateBranch();
    await life.throughServer();
    await life.unversioned();
    await life.inCheckout(["close", "--force"]);
  }

  private run(args: readonly string[], options: RunOptions = {}): Promise<string> {
    return this.stock.ok(args, options);
  }

  private inRepository(args: readonly string[], options: RunOptions = {}): Promise<string> {
    return this.run([...args, "-R", this.repository], options);
  }

  private inCheckout(args: readonly string[], options: RunOptions = {}): Promise<string> {
    return this.run(args, { cwd: this.checkout, ...options });
  }

  private edit(name: string, content: string | Uint8Array): void {
    const path = join(this.checkout, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }

  private async commit(message: string, ...options: string[]): Promise<string> {
    const args = [
      "commit",
      "-m",
      message,
      "--no-warnings",
      "--allow-fork",
      "--allow-older",
      "--nosign",
      ...options,
    ];
    const said = await this.inCheckout(args);
    return /New_Version: ([0-9a-f]{40,})/.exec(said)?.[1] ?? said;
  }

  private async users(): Promise<void> {
    const people: readonly (readonly [login: string, caps: string])[] = [
      ["alice", "as"],
      ["bob", "v"],
      ["carol", "eioxy23456"],
      ["sp ace", "go"],
    ];
    for (const [login, caps] of people) {
      await this.inRepository(["user", "new", login, `${login}@example.org`, PASSWORD]);
      await this.inRepository(["user", "capabilities", login, caps]);
    }
  }

  /** Both ways of writing manifests are allowed, and the project has changed its ticket table, as many do. */
  private async settings(): Promise<void> {
    await this.inRepository(["settings", "autosync", "0"]);
    await this.inRepository(["settings", "forbid-delta-manifests", "0"]);
    // Edits within one second would else go unseen.
    await this.inRepository(["settings", "mtime-changes", "0"]);
    const value = TICKET_TABLES.replaceAll("'", "''");
    const sql = `REPLACE INTO config(name, value, mtime) VALUES('ticket-table', '${value}', 1600000000)`;
    await this.inRepository(["sql", sql]);
    await this.run(["rebuild", this.repository]);
  }

  private async checkIns(round: number): Promise<void> {
    const dir = `hand/${round}`;
    this.edit(`${dir}/one.txt`, "one\ntwo\nthree\n");
    this.edit(`${dir}/two words.txt`, "2\n");
    this.edit(
      `${dir}/ключ.bin`,
      Uint8Array.from({ length: 3000 }, (_, i) => (i * i) & 255),
    );
    symlinkSync("one.txt", join(this.checkout, dir, "link"));
    await this.inCheckout(["add", dir]);
    const base = await this.commit(
      `Round ${round}: *by hand*, see [trunk] and [/timeline]`,
      "--tag",
      `by-hand-${round}`,
    );
    for (let i = 0; i < 3; i++) {
      this.edit(`${dir}/one.txt`, `one\ntwo ${i}\nthree\n`);
      await this.commit(
        `Small change ${i} after [${base.slice(0, 10)}]`,
        "--delta",
        "--user-override",
        "bob",
      );
    }
    await this.inCheckout(["mv", "--hard", `${dir}/two words.txt`, `${dir}/two.txt`]);
    await this.inCheckout(["rm", "--hard", `${dir}/link`]);
    await this.commit("Renamed, removed", "--delta", "--mimetype", "text/x-markdown");
    this.edit(`${dir}/one.txt`, "one\ntwo 2\nthree\nfour\n");
    const baseline = await this.commit("A baseline again", "--baseline", "--bgcolor", "#d0ffd0");
    await this.sideBranch(round, dir, base);
    await this.inCheckout(["merge", "--backout", baseline]);
    await this.commit("Back out [trunk]");
  }

  /** A branch with a check-in that is picked from it, then merged with `--integrate`. */
  private async sideBranch(round: number, dir: string, base: string): Promise<void> {
    await this.inCheckout(["update", base]);
    this.edit(`${dir}/side.txt`, "side\n");
    await this.inCheckout(["add", `${dir}/side.txt`]);
    await this.commit("On the side", "--branch", `side-${round}`, "--branchcolor", "#c0d0ff");
    this.edit(`${dir}/extra.txt`, "extra\n");
    await this.inCheckout(["add", `${dir}/extra.txt`]);
    const picked = await this.commit("To be picked", "--date-override", new Date(LATER_MS).toISOString());
    await this.inCheckout(["update", "trunk"]);
    await this.inCheckout(["merge", "--cherrypick", picked]);
    await this.commit("Picked from the side");
    await this.inCheckout(["merge", "--integrate", `side-${round}`]);
    await this.commit("Integrated the side");
  }

  private async wiki(round: number): Promise<void> {
    const tip = (await this.hash("trunk")).slice(0, 12);
    const pages: readonly (readonly [name: string, mimetype: string, body: string])[] = [
      [
        `Start ${round}`,
        "fossil",
        `<b>Welcome</b> to [Größe ${round}], [${tip}], [http://example.org/|there].\n`,
      ],
      [
        `Größe ${round}`,
        "markdown",
        `# Size\n\nSee [a check-in](/info/${tip}), [page](wiki?name=Start+${round}), [${tip}].\n`,
      ],
      [`plain/text ${round}`, "plain", `[${tip}] is no link here.\n`],
    ];
    for (const [name, mimetype, body] of pages) {
      await this.inRepository(["wiki", "create", name, "-M", mimetype], { input: body });
      for (let version = 2; version <= 3; version++) {
        const options = { input: `${body}\nVersion ${version} [Start ${round}]\n`, user: "carol" };
        await this.inRepository(["wiki", "commit", name], options);
      }
    }
    await this.inRepository(["wiki", "create", `Gone ${round}`], { input: "soon" });
    await this.inRepository(["wiki", "commit", `Gone ${round}`], { input: "" });
    const file = this.temp.write("notes.txt", `notes of round ${round}\n`);
    await this.inRepository(["attachment", "add", `Start ${round}`, file]);
    this.temp.write("notes.txt", `better notes of round ${round}\n`);
    await this.inRepository(["attachment", "add", `Start ${round}`, file], { user: "alice" });
  }

  private async tickets(round: number): Promise<void> {
    const tip = (await this.hash("trunk")).slice(0, 12);
    const first = await this.ticket(
      "title",
      `It fails in round ${round}`,
      "type",
      "Code_Defect",
      "status",
      "Open",
    );
    const second = await this.ticket("title", "Ünïcode & <b>", "votes", "7", "comment", `see [${tip}]`);
    const changes: readonly (readonly string[])[] = [
      [first, "severity", "Critical", "+comment", `first, see [${tip}]`],
      [first, "+comment", "\\nsecond [Start 0]", "due_date", "2026-01-01"],
      [
        first,
        "icomment",
        `*markdown* [${second.slice(0, 10)}]`,
        "mimetype",
        "text/x-markdown",
        "login",
        "bob",
      ],
      [first, "status", "Closed", "resolution", "Fixed"],
      [second, "title", "A new title", "private_contact", "someone@example.org"],
    ];
    for (const args of changes)
      await this.inRepository(["ticket", "set", ...args, "--quote"], { user: "bob" });
    this.edit(`hand/${round}/one.txt`, `for ticket ${first}\n`);
    await this.commit(`Fixes ticket [${first.slice(0, 10)}]`);
  }

  private async ticket(...fields: string[]): Promise<string> {
    const said = await this.inRepository(["ticket", "add", ...fields]);
    return /[0-9a-f]{40}/.exec(said)![0];
  }

  private async technotes(round: number): Promise<void> {
    const note = ["--technote-tags", "news,release", "--technote-bgcolor", "#ffe0c0"];
    const date = `2024-03-0${1 + (round % 9)} 12:00:00`;
    await this.inRepository(["wiki", "create", `Note ${round}`, "-t", date, ...note], {
      input: `Body [Start ${round}]\n`,
    });
    const listed = await this.inRepository(["wiki", "list", "-t", "-s"]);
    const id = listed
      .split("\n")
      .find((line) => line.includes(date.slice(0, 10)))!
      .split(" ")[0]!;
    await this.inRepository(["wiki", "commit", `Note ${round} again`, "-t", id], { input: "New *body*\n" });
    await this.inRepository(["wiki", "create", "Short note", "-t", "now", "-M", "markdown"], {
      input: "# now\n",
    });
    const file = this.temp.write(
      "figure.bin",
      Uint8Array.from({ length: 500 }, (_, i) => (i * 7 + round) & 255),
    );
    await this.inRepository(["attachment", "add", file, "-t", id]);
  }

  private async tagsAndAmendments(): Promise<void> {
    const [tip, older, oldest] = [
      await this.hash("trunk"),
      await this.hash("by-hand-0"),
      await this.hash("root:trunk"),
    ];
    const steps: readonly (readonly string[])[] = [
      ["tag", "add", "good", older],
      ["tag", "add", "--propagate", "since", older, "the value"],
      ["tag", "cancel", "since", tip],
      ["tag", "add", "--raw", "note", older, "a raw property"],
      ["tag", "add", "--raw", "--propagate", "reviewed", oldest, "yes"],
      ["tag", "cancel", "--raw", "reviewed", older],
      ["tag", "add", "good", tip, "--date-override", "2021-01-01 00:00:00", "--user-override", "carol"],
      ["tag", "cancel", "good", older],
      ["amend", older, "-m", "An amended comment, see [trunk]"],
      ["amend", older, "--author", "alice", "--bgcolor", "#ffc0c0"],
      ["amend", older, "--date", "2022-02-02T02:02:02.222"],
      ["amend", oldest, "--tag", "the-first", "--cancel", "note"],
      ["amend", await this.hash("feature-0"), "--branch", "renamed-feature", "--branchcolor", "#e0e0e0"],
      ["amend", await this.hash("feature-1"), "--hide", "--close"],
      ["amend", await this.hash("pages"), "--close", "--date-override", "2030-01-01"],
    ];
    for (const step of steps) await this.inRepository(step);
  }

  private async branches(): Promise<void> {
    await this.inRepository(["branch", "new", "empty", "trunk", "--bgcolor", "#abcdef"]);
    await this.inRepository(["branch", "new", "closed", "trunk"]);
    await this.inRepository(["branch", "close", "closed"]);
    await this.inRepository(["branch", "new", "reopened", "trunk"]);
    await this.inRepository(["branch", "close", "reopened"]);
    await this.inRepository(["branch", "reopen", "reopened"]);
    await this.inRepository(["branch", "hide", "empty"]);
  }

  /** Shuns a file and a wiki page's old version, and rebuilds: stock removes their content then. */
  private async shun(): Promise<void> {
    this.edit("to shun.txt", "this must go\n");
    await this.inCheckout(["add", "to shun.txt"]);
    await this.commit("With a file that must go");
    const file = (await this.run(["sha3sum", join(this.checkout, "to shun.txt")])).slice(0, 64);
    await this.inCheckout(["rm", "--hard", "to shun.txt"]);
    await this.commit("Without it");
    await this.served(async (url) => {
      const admin = await StockBrowser.login(url, "alice", PASSWORD);
      await admin.submit("/shun", { uuid: file, add: "Shun" });
    });
    await this.run(["rebuild", this.repository]);
  }

  private async privateBranch(): Promise<void> {
    this.edit("hidden/plan.txt", "a secret plan\n");
    await this.inCheckout(["add", "hidden/plan.txt"]);
    await this.commit("Private start", "--private", "--branch", "hidden-work");
    this.edit("hidden/plan.txt", "a better secret plan\n");
    await this.commit("Private change");
    await this.inRepository(["branch", "new", "private-twig", "trunk", "--private"]);
    await this.inCheckout(["update", "trunk"]);
  }

  /** Clones, lets the clone pull (which makes clusters at the server), and commits in both. */
  private async throughServer(): Promise<void> {
    const clone = this.temp.join("clone.fossil");
    await this.served(async (url, login) => {
      await this.run(["clone", login("alice"), clone, "--no-open", "--once"]);
      await this.run(["pull", login("alice"), "-R", clone, "--once"]);
      for (let i = 0; i < 3; i++) {
        await this.run(["wiki", "create", `From the clone ${i}`, "-R", clone], { input: `page ${i}\n` });
      }
      await this.run(["push", login("alice"), "-R", clone, "--once"]);
      await this.forum(url);
      await this.pagesOnly(url);
      await this.manySmall();
      await this.run(["sync", login("alice"), "-R", clone, "--once"]);
    });
    unlinkSync(clone);
  }

  /** Enough artifacts that a second cluster, which names the first, is made by the next pull. */
  private async manySmall(): Promise<void> {
    for (let i = 0; i < 110; i++) this.edit(`many/${i}.txt`, `number ${i}\n`);
    await this.inCheckout(["add", "many"]);
    await this.commit("Many small files");
  }

  /**
   * Edits keep the thread's title: when one changes it, stock's `event.comment` of the whole thread depends on
   * the order in which posts were linked, and a rebuild links in another order than they came.
   */
  private async forum(url: string): Promise<void> {
    const alice = await StockBrowser.login(url, "alice", PASSWORD);
    const carol = await StockBrowser.login(url, "carol", PASSWORD);
    for (let thread = 0; thread < 1 + this.rounds; thread++) {
      const title = `Thread ${thread}: Größe & <tags>`;
      const root = await alice.create("/forume1", {
        title,
        mimetype: "text/x-markdown",
        content: `Hello, *see* [Start 0]\n\nThread ${thread}`,
        submit: "Submit",
      });
      const reply = await carol.create("/forume2", {
        fpid: root,
        reply: "1",
        mimetype: "text/x-fossil-wiki",
        content: "<i>A reply</i>",
        submit: "Submit",
      });
      await alice.create("/forume2", { fpid: reply, reply: "1", content: "A reply to it", submit: "Submit" });
      await carol.create("/forume2", {
        fpid: reply,
        edit: "1",
        content: "An edited reply",
        submit: "Submit",
      });
      await alice.create("/forume2", {
        fpid: root,
        edit: "1",
        title,
        content: "Edited",
        submit: "Submit",
      });
    }
  }

  /** What only pages can do: attach to a ticket, remove an attachment. */
  private async pagesOnly(url: string): Promise<void> {
    const alice = await StockBrowser.login(url, "alice", PASSWORD);
    const before = await this.attachments();
    const ticket = await this.sql("SELECT tkt_uuid FROM ticket ORDER BY tkt_uuid LIMIT 1");
    const content = new TextEncoder().encode("a log\n");
    const file = { field: "f", name: "log file.txt", content };
    await alice.submit("/attachadd", { tkt: ticket, comment: "the log", ok: "Add Attachment" }, file);
    const attached = await this.sql(
      "SELECT uuid FROM attachment JOIN blob ON rid = attachid WHERE target GLOB 'Start*' AND isLatest LIMIT 1",
    );
    await alice.submit(`/ainfo/${attached}`, { confirm: "Confirm", name: attached });
    if ((await this.attachments()) !== before + 2)
      throw new StockError("the attachment pages changed nothing");
  }

  private async attachments(): Promise<number> {
    return Number(await this.sql("SELECT count(*) FROM attachment"));
  }

  private async unversioned(): Promise<void> {
    const file = this.temp.write("upload.txt", "unversioned\n");
    await this.inRepository(["uv", "add", file, "--as", "download/ünïcode.txt"]);
    await this.inRepository(["uv", "add", file, "--as", "removed.txt", "--mtime", "2021-01-01T00:00:00"]);
    const large = this.temp.write(
      "upload.bin",
      new Uint8Array(200_000).map((_, i) => (i * i) >> 3),
    );
    await this.inRepository(["uv", "add", large, "--as", "large.bin"]);
    await this.inRepository(["uv", "rm", "removed.txt"]);
    await this.inRepository(["uv", "touch", "large.bin", "--mtime", "2023-01-01T00:00:00"]);
  }

  private async served(use: (url: string, login: (name: string) => string) => Promise<void>): Promise<void> {
    await using server = await this.stock.serve(this.repository);
    await use(server.url, (name) => server.urlAs(name, PASSWORD));
  }

  private async hash(version: string): Promise<string> {
    const said = await this.inRepository(["info", version]);
    return /^hash: +([0-9a-f]{40,64})/m.exec(said)![1]!;
  }

  /** One value. Stock prints text as an SQL literal. */
  private async sql(query: string): Promise<string> {
    return (await this.inRepository(["sql", query])).trim().replaceAll("'", "");
  }
}

/** Later than any other check-in, so that a child can be older than its parent. */
const LATER_MS = Date.UTC(2031, 0, 1);

const TICKET_TABLES = `CREATE TABLE ticket(
  tkt_id INTEGER PRIMARY KEY,
  tkt_uuid TEXT UNIQUE,
  tkt_mtime DATE,
  tkt_ctime DATE,
  type TEXT,
  status TEXT,
  due_date TEXT,
  votes INTEGER DEFAULT 0,
  severity TEXT,
  private_contact TEXT,
  resolution TEXT DEFAULT 'Open',
  title TEXT,
  comment TEXT
);
CREATE TABLE ticketchng(
  tkt_id INTEGER REFERENCES ticket,
  tkt_rid INTEGER REFERENCES blob,
  tkt_mtime DATE,
  login TEXT,
  username TEXT,
  mimetype TEXT,
  icomment TEXT
);
CREATE INDEX ticketchng_idx1 ON ticketchng(tkt_id, tkt_mtime);
`;
