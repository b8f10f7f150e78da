/** A player with a stock Fossil: a clone and a checkout of it. */
import { existsSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { TempDir } from "../temp-dir.ts";
import { look } from "./converge-look.ts";
import { AREAS, CONTESTED, edited, FILES, SPAM, type Step, UNVERSIONED } from "./converge-plan.ts";
import { type Place, type Player, Surprise, settingTime, settingValue } from "./converge-player.ts";
import type { RunOptions, Stock } from "./stock.ts";

const TRIES = 4;
/** What stock calls trouble, on either output. */
const TROUBLE = /Error:|^fossil(?:\S*): |SQLITE_|assert|time skew|server returned|not authorized/m;
/** What a commit may be told, and is then tried again after an update. */
const RACED = /would fork|might fork|closed leaf/i;
/** A merge of renames over files can leave a checkout that stock cannot commit. */
const HOPELESS = /overwritten by rename/;
const STEP_MS_MAX = 60_000;

export class StockPlayer implements Player {
  readonly name: string;
  readonly repository: string;
  readonly isTrusted: boolean;
  private readonly checkout: string;
  /** Stock notices an edit by its size or its whole seconds. */
  private editedAt = 1_600_000_000;

  private constructor(
    private readonly stock: Stock,
    private readonly temp: TempDir,
    place: Place,
  ) {
    this.name = place.name;
    this.isTrusted = place.isTrusted;
    this.repository = temp.join(`${place.name}.fossil`);
    this.checkout = temp.folder(place.name);
  }

  /** @param isAutomatic whether each commit syncs, as it does by default */
  static async join(stock: Stock, temp: TempDir, place: Place, isAutomatic: boolean): Promise<StockPlayer> {
    const player = new StockPlayer(stock, temp, place);
    const { name, repository } = player;
    await player.ok("clone", place.url, repository, "--no-open", "-A", name, "--save-http-password");
    await player.ok("open", repository, "trunk");
    await player.ok("settings", "autosync", isAutomatic ? "on" : "off");
    await player.ok("settings", "backoffice-disable", "1");
    return player;
  }

  readonly verbs: Player["verbs"] = {
    commit: async (step) => {
      if (step.chance.is(0.3)) await this.goTo(step.chance.pick(look(this.repository, "branches")));
      await this.change(step);
      await this.commit(`Change ${step.id}`);
    },
    branch: async (step) => {
      const { id, chance } = step;
      if (chance.is(0.5)) {
        const basis = chance.pick(look(this.repository, "checkIns"))!;
        await this.ok("branch", "new", `branch ${id}`, basis);
        return;
      }
      await this.change(step);
      await this.commit(`Branch off ${id}`, "--branch", `branch ${id}`);
    },
    merge: ({ id, chance }) => this.merge(id, chance.pick(["", "", "--integrate", "--cherrypick"])!, chance),
    tag: (step) => this.tag(step),
    wiki: async ({ id, chance }) => {
      const page = chance.pick(["Start", "Größe", "plan/next"])!;
      const text = `by ${id}, see [Start] and [${chance.pick(look(this.repository, "checkIns"))}]\n`;
      await this.writePage(page, text);
    },
    ticket: async ({ id, chance }) => {
      const ticket = chance.is(0.4) ? undefined : chance.pick(look(this.repository, "tickets"));
      if (ticket === undefined) {
        const fields = [
          "title",
          `Ticket ${id}`,
          "status",
          "Open",
          "private_contact",
          `${this.name}@example.org`,
        ];
        await this.ok("ticket", "add", ...fields);
        return;
      }
      const status = chance.pick(["Open", "Fixed", "Closed"])!;
      await this.ok("ticket", "set", ticket, "status", status, "+comment", `and ${id}\n`);
    },
    technote: async ({ id, stamp, chance }) => {
      const note = chance.is(0.5) ? undefined : chance.pick(look(this.repository, "technotes"));
      const which =
        note ??
        `2024-05-06 07:${`${Math.floor(stamp / 60) % 60}`.padStart(2, "0")}:${`${stamp % 60}`.padStart(2, "0")}`;
      const verb = note === undefined ? "create" : "commit";
      await this.say(["wiki", verb, `Note ${id}`, "-t", which], { input: `note by ${id}\n` });
    },
    attach: async ({ id, chance }) => {
      const page = chance.pick(look(this.repository, "pages"));
      if (page === undefined) return this.writePage("Start", `begun by ${id}\n`);
      const file = this.temp.write(`${this.name}-notes.txt`, `attached by ${id}\n`);
      await this.ok("attachment", "add", page, file);
    },
    uvPut: async ({ id, chance }) => {
      const text = `uv by ${id}\n`.repeat(1 + chance.below(50));
      const file = this.temp.write(`${this.name}-upload`, text);
      await this.ok("uv", "add", file, "--as", chance.pick(UNVERSIONED)!);
    },
    uvDelete: async ({ chance }) => {
      const file = chance.pick(look(this.repository, "files"));
      if (file !== undefined) await this.ok("uv", "rm", file);
    },
    uvSync: async () => {
      await this.ok("uv", "sync");
    },
    setting: async ({ id, stamp, chance }) => {
      // Nobody would hear of it.
      if (!this.isTrusted) return void (await this.ok("configuration", "pull", "project"));
      const name = chance.pick(CONTESTED)!;
      const value = settingValue(name, id);
      const sql = `REPLACE INTO config(name,value,mtime) VALUES('${name}','${value}',${settingTime(stamp)})`;
      await this.ok("sql", sql);
    },
    config: async ({ chance }) => {
      const area = chance.pick(AREAS)!;
      const direction = this.isTrusted ? chance.pick(["push", "pull", "sync"])! : "pull";
      await this.ok("configuration", direction, area);
    },
    privateCommit: async (step) => {
      await this.change(step, `private/${step.id}.txt`);
      await this.commit(`Private ${step.id}`, "--private", "--branch", `private-${step.id}`);
      await this.goTo();
    },
    privateSync: async () => {
      await this.ok("sync", ...(this.isTrusted ? ["--private"] : []));
    },
    spam: async ({ id, chance }) => {
      if (chance.is(0.5)) return this.writePage(`${SPAM} ${id}`, `buy ${id}\n`);
      const name = `${SPAM}/${id}.txt`;
      this.write(name, `buy ${id}\n`);
      await this.ok("add", name);
      await this.commit(`With ${SPAM} ${id}`);
      await this.ok("rm", "--hard", name);
      await this.commit(`Without ${SPAM} ${id}`);
    },
    shun: async ({ stamp, chance }) => {
      const hash = chance.pick(look(this.repository, "spam"));
      if (!this.isTrusted) {
        await this.ok("configuration", "pull", "shun");
      } else if (hash !== undefined) {
        await this.ok("sql", `INSERT INTO shun(uuid,mtime) VALUES('${hash}',${settingTime(stamp)})`);
        await this.ok("configuration", "sync", "shun");
      }
      await this.purge();
    },
    sync: async ({ chance }) => {
      await this.ok(...chance.pick([["sync"], ["pull"], ["push"], ["sync", "--verily"]])!);
    },
  };

  async settle(): Promise<string> {
    const said: string[] = [];
    said.push(await this.ok("sync", ...(this.isTrusted ? ["--private"] : [])));
    said.push(await this.ok("uv", "sync"));
    for (const area of AREAS) await this.ok("configuration", this.isTrusted ? "sync" : "pull", area);
    return said.join("");
  }

  async purge(): Promise<void> {
    await this.stock.ok(["rebuild", this.repository], { user: this.name });
  }

  /** Edits one to three files of the checkout, and `more`. */
  private async change(step: Step, more?: string): Promise<void> {
    const { chance, id } = step;
    for (let i = 0; i <= chance.below(3); i++) {
      const name = chance.pick(FILES)!;
      const path = join(this.checkout, name);
      this.write(name, edited(existsSync(path) ? readFileSync(path, "utf8") : undefined, step));
    }
    if (more !== undefined) this.write(more, `only here: ${id}\n`);
    await this.ok("addremove");
    const [from, to] = [chance.pick(FILES)!, `moved ${id}.txt`];
    if (chance.is(0.1) && existsSync(join(this.checkout, from))) await this.ok("mv", "--hard", from, to);
  }

  private write(name: string, content: string): void {
    const path = join(this.checkout, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    this.editedAt++;
    utimesSync(path, this.editedAt, this.editedAt);
  }

  private async commit(message: string, ...options: string[]): Promise<void> {
    const args = ["commit", "-m", message, "--no-warnings", "--allow-conflict", "--nosign", ...options];
    for (let attempt = 1; ; attempt++) {
      const { said, isTrouble } = await this.say(attempt < TRIES ? args : [...args, "--allow-fork"], {}, [
        RACED,
        HOPELESS,
        /nothing has changed/,
      ]);
      if (isTrouble && HOPELESS.test(said)) return void (await this.ok("revert"));
      if (!isTrouble || !RACED.test(said)) return;
      const isClosed = /closed leaf/.test(said);
      if (isClosed || (await this.say(["update"], {}, [/Multiple descendants/])).isTrouble) await this.goTo();
    }
  }

  private async goTo(branch = "trunk"): Promise<void> {
    await this.ok("update", branch);
  }

  private async merge(id: string, option: string, chance: Step["chance"]): Promise<void> {
    const leaf = chance.pick(look(this.repository, option === "--integrate" ? "sideLeaves" : "leaves"));
    if (leaf === undefined) return;
    const { isTrouble } = await this.say(["merge", ...(option === "" ? [] : [option]), leaf], {}, [
      /cannot find (?:a common|an) ancestor|same check-?out|not merge/i,
    ]);
    if (!isTrouble) await this.commit(`Merge ${option} ${id}`);
  }

  private async tag({ id, chance }: Step): Promise<void> {
    const target = chance.pick(look(this.repository, "checkIns"))!;
    const [hash, name] = chance.pick(look(this.repository, "tags"))?.split(" ") ?? [];
    const branch = chance.pick(look(this.repository, "branches").filter((other) => other !== "trunk"));
    switch (chance.below(5)) {
      case 0:
        return void (await this.ok("tag", "add", `rel-${id}`, target));
      case 1:
        return void (await this.ok("tag", "add", "--propagate", `rel-${id}`, target, "a value"));
      case 2:
        if (hash !== undefined) await this.ok("tag", "cancel", name!, hash);
        return;
      case 3:
        return void (await this.ok("amend", target, "-m", `Amended by ${id}`));
      default:
        if (branch !== undefined) await this.say(["branch", "close", branch], {}, [/Skipping|not a leaf/]);
    }
  }

  private async writePage(page: string, text: string): Promise<void> {
    const verb = look(this.repository, "pages").includes(page) ? "commit" : "create";
    await this.say(["wiki", verb, page], { input: text });
  }

  /** Runs a command that has nothing to complain of. @throws Surprise */
  private async ok(...args: string[]): Promise<string> {
    return (await this.say(args)).said;
  }

  /** Runs a command that may complain of what `expected` names. @throws Surprise */
  private async say(
    args: readonly string[],
    options: RunOptions = {},
    expected: readonly RegExp[] = [],
  ): Promise<{ readonly said: string; readonly isTrouble: boolean }> {
    const result = await this.stock.run(args, {
      cwd: this.checkout,
      user: this.name,
      timeoutMs: STEP_MS_MAX,
      ...options,
    });
    const said = result.stdout + result.stderr;
    const isTrouble = result.code !== 0 || TROUBLE.test(said);
    if (!isTrouble || (result.code < 128 && expected.some((pattern) => pattern.test(said)))) {
      return { said, isTrouble };
    }
    throw new Surprise(
      `${this.name}: fossil ${this.stock.version} ${args.join(" ")}: ended with ${result.code}\n${said}`,
    );
  }
}
