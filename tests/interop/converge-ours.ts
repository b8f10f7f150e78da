/**
 * A player with EdgeSync: a clone without a checkout. What the command line does is done by `edgesync`, each
 * command a process where there is an executable (EDGESYNC_TEST_BINARY); the rest by the library, as a program that embeds it would.
 */
import { formatArtifact } from "../../src/artifact-format.ts";
import type { Artifact } from "../../src/artifact-types.ts";
import { text, utf8 } from "../../src/bytes.ts";
import { systemClock } from "../../src/clock.ts";
import { type Hash, sha1Hex } from "../../src/hash.ts";
import { systemRandom } from "../../src/random.ts";
import { Repo } from "../../src/repo.ts";
import { type CheckInResult, commit } from "../../src/repo-checkin.ts";
import type { CheckInRequest } from "../../src/repo-checkin-place.ts";
import type { FileEdit } from "../../src/repo-checkin-tree.ts";
import type { Rid } from "../../src/repo-content.ts";
import { listFiles, readFile } from "../../src/repo-files.ts";
import { resolveName } from "../../src/repo-name.ts";
import { receiveAll } from "../../src/repo-receive.ts";
import { cli, cliEnv } from "../cli-process.ts";
import type { TempDir } from "../temp-dir.ts";
import { look } from "./converge-look.ts";
import { AREAS, CONTESTED, edited, FILES, SPAM, type Step, UNVERSIONED } from "./converge-plan.ts";
import { type Place, type Player, Surprise, settingTime, settingValue } from "./converge-player.ts";
import { edgesyncWords } from "./leaf-process.ts";

export class OurPlayer implements Player {
  readonly name: string;
  readonly repository: string;
  readonly isTrusted: boolean;

  private constructor(
    private readonly temp: TempDir,
    place: Place,
  ) {
    this.name = place.name;
    this.isTrusted = place.isTrusted;
    this.repository = temp.join(`${place.name}.fossil`);
  }

  static async join(temp: TempDir, place: Place): Promise<OurPlayer> {
    const player = new OurPlayer(temp, place);
    await player.run(["repo", "clone", place.url, player.repository]);
    return player;
  }

  readonly verbs: Player["verbs"] = {
    commit: async (step) => {
      const { chance } = step;
      const branch = chance.is(0.3) ? chance.pick(look(this.repository, "branches"))! : "trunk";
      if (chance.is(0.7)) await this.edgesync("sync", "pull");
      await this.checkIn(step, branch);
      if (chance.is(0.7)) await this.edgesync("sync", "push");
    },
    branch: async (step) => {
      await this.checkIn(step, "trunk", "--branch", `branch ${step.id}`);
    },
    merge: async ({ id, chance }) => {
      const [into, from] = [
        chance.pick(look(this.repository, "leaves"))!,
        chance.pick(look(this.repository, "leaves"))!,
      ];
      const mayClose = look(this.repository, "sideLeaves").includes(from);
      if (into !== from) this.merge(into, from, id, mayClose && chance.is(0.2));
    },
    tag: async (step) => this.tag(step),
    wiki: async ({ id, chance }) => {
      const page = chance.pick(["Start", "Größe", "plan/next"])!;
      this.writePage(page, `by ${id}, see [Start] and [${chance.pick(look(this.repository, "checkIns"))}]\n`);
    },
    ticket: async ({ id, chance }) => {
      const ticket = chance.is(0.4) ? undefined : chance.pick(look(this.repository, "tickets"));
      const fields: readonly (readonly [string, string])[] =
        ticket === undefined
          ? [
              ["status", "Open"],
              ["title", `Ticket ${id}`],
            ]
          : [
              ["+comment", `and ${id}\n`],
              ["status", chance.pick(["Open", "Fixed", "Closed"])!],
            ];
      this.add((date) => ({
        type: "ticket",
        date,
        ticketId: ticket ?? sha1Hex(id),
        user: this.name,
        fields: fields.map(([name, value]) => ({
          name: name.replace("+", ""),
          append: name.startsWith("+"),
          value,
        })),
      }));
    },
    technote: async ({ id, stamp, chance }) => {
      const note = chance.is(0.5) ? undefined : chance.pick(look(this.repository, "technotes"));
      const technoteId = note ?? sha1Hex(`note ${id}`);
      const parents = this.versions(`event-${technoteId}`);
      this.add((date) => ({
        type: "technote",
        date,
        eventDate: settingTime(stamp) * 1000,
        technoteId,
        comment: `Note ${id}`,
        parents,
        tags: [],
        user: this.name,
        body: utf8(`note by ${id}\n`),
      }));
    },
    attach: async ({ id, chance }) => {
      const page = chance.pick(look(this.repository, "pages"));
      if (page === undefined) return this.writePage("Start", `begun by ${id}\n`);
      const source = this.store(utf8(`attached by ${id}\n`));
      this.add((date) => ({
        type: "attachment",
        name: `${this.name}-notes.txt`,
        target: page,
        source,
        date,
        user: this.name,
      }));
    },
    uvPut: async ({ id, chance }) => {
      const file = this.temp.write(`${this.name}-upload`, `uv by ${id}\n`.repeat(1 + chance.below(50)));
      await this.edgesync("repo", "uv", "put", chance.pick(UNVERSIONED)!, file);
    },
    uvDelete: async ({ chance }) => {
      const file = chance.pick(look(this.repository, "files"));
      if (file !== undefined) await this.edgesync("repo", "uv", "delete", file);
    },
    uvSync: async () => {
      await this.edgesync("repo", "uv", "sync");
    },
    setting: async ({ id, stamp, chance }) => {
      const name = chance.pick(CONTESTED)!;
      this.opened((repo) => repo.config.set(name, settingValue(name, id), settingTime(stamp)));
    },
    config: async ({ chance }) => {
      const area = chance.pick(AREAS)!;
      const direction = this.isTrusted ? chance.pick(["push", "pull", "sync"])! : "pull";
      await this.edgesync("repo", "config", direction, area);
    },
    privateCommit: async (step) => {
      const file = `private/${step.id}.txt`;
      this.temp.write(`${this.name}/${file}`, `only here: ${step.id}\n`);
      const branch = `private-${step.id}`;
      await this.ci([file], `Private ${step.id}`, "--private", "--branch", branch, "--parent", "trunk");
    },
    privateSync: async () => {
      await this.edgesync("sync", "sync", ...(this.isTrusted ? ["--private"] : []));
    },
    spam: async ({ id, chance }) => {
      if (chance.is(0.5)) return this.writePage(`${SPAM} ${id}`, `buy ${id}\n`);
      const name = `${SPAM}/${id}.txt`;
      this.commit([{ name, content: utf8(`buy ${id}\n`) }], `With ${SPAM} ${id}`);
      this.commit([{ name, remove: true }], `Without ${SPAM} ${id}`);
    },
    shun: async ({ chance }) => {
      const hash = chance.pick(look(this.repository, "spam"));
      if (!this.isTrusted) {
        await this.edgesync("repo", "config", "pull", "shun");
      } else if (hash !== undefined) {
        await this.edgesync("repo", "shun", "add", hash);
        await this.edgesync("repo", "config", "sync", "shun");
      }
      await this.purge();
    },
    sync: async ({ chance }) => {
      await this.edgesync("sync", ...chance.pick([["sync"], ["pull"], ["push"], ["sync", "--verily"]])!);
    },
  };

  async settle(): Promise<string> {
    const said = [await this.edgesync("sync", "sync", ...(this.isTrusted ? ["--private"] : []))];
    said.push(await this.edgesync("repo", "uv", "sync"));
    for (const area of AREAS) {
      await this.edgesync("repo", "config", this.isTrusted ? "sync" : "pull", area);
    }
    return said.join("");
  }

  async purge(): Promise<void> {
    await this.edgesync("repo", "shun", "purge");
  }

  /** Checks one to three files in, changed from how they are on `branch`. */
  private async checkIn(step: Step, branch: string, ...options: string[]): Promise<void> {
    const names = new Set(Array.from({ length: 1 + step.chance.below(3) }, () => step.chance.pick(FILES)!));
    this.opened((repo) => {
      const tip = resolveName(repo, branch, { type: "ci" });
      const known = new Set(listFiles(repo, tip).map(({ name }) => name));
      for (const name of names) {
        const before = known.has(name) ? text(readFile(repo, tip, name)) : undefined;
        this.temp.write(`${this.name}/${name}`, edited(before, step));
      }
      if (known.has(FILES[0]!) && !names.has(FILES[0]!) && step.chance.is(0.1) && options.length === 0) {
        const request = { parent: tip, comment: `Moved ${step.id}`, user: this.name, allow: ALLOW };
        const edit: FileEdit = { name: `moved ${step.id}.txt`, priorName: FILES[0]! };
        commit(repo, { ...request, edits: [edit] });
      }
    });
    const place = options.length === 0 ? ["--branch", branch] : options;
    await this.ci([...names], `Change ${step.id}`, ...place);
  }

  private async ci(files: readonly string[], message: string, ...options: string[]): Promise<void> {
    const folder = this.temp.join(this.name);
    const words = ["repo", "ci", "-C", folder, "-m", message, "--user", this.name, ...options, ...files];
    const said = await this.edgesync(...words, "--allow-fork");
    if (!/"hash"/.test(said)) throw new Surprise(`${this.name}: a check-in said ${said}`);
  }

  /** Takes what differs from the other side whole. */
  private merge(into: string, from: string, id: string, close: boolean): void {
    this.opened((repo) => {
      const [parent, other] = [into, from].map((hash) => repo.content.ridOf(hash as Hash)!) as [Rid, Rid];
      const mine = new Map(listFiles(repo, parent).map((file) => [file.name, file.hash]));
      const edits = listFiles(repo, other)
        .filter(({ name, hash }) => mine.get(name) !== hash && !name.startsWith(SPAM))
        .map(({ name, permission }) => ({ name, permission, content: readFile(repo, other, name) }));
      const merges = [{ rid: other, close }];
      commit(repo, { parent, merges, edits, comment: `Merge ${id}`, user: this.name, allow: ALLOW });
    });
  }

  private tag({ id, chance }: Step): void {
    const target = chance.pick(look(this.repository, "checkIns")) as Hash;
    const leaf = chance.pick(look(this.repository, "leaves")) as Hash;
    const [hash, name] = chance.pick(look(this.repository, "tags"))?.split(" ") ?? [];
    const roll = chance.below(4);
    if (roll === 2 && hash === undefined) return;
    const tag = [
      { action: "+", name: `sym-rel-${id}`, target } as const,
      { action: "*", name: `sym-rel-${id}`, target, value: "a value" } as const,
      { action: "-", name: `sym-${name}`, target: hash as Hash } as const,
      { action: "+", name: "bgcolor", target: leaf, value: "#c0d0e0" } as const,
    ][roll]!;
    this.add((date) => ({ type: "control", date, user: this.name, tags: [tag] }));
  }

  private writePage(title: string, body: string): void {
    const parents = this.versions(`wiki-${title}`);
    this.add((date) => ({ type: "wiki", date, title, parents, user: this.name, body: utf8(body) }));
  }

  /** The newest artifact with this tag, as the parent of the next. */
  private versions(tag: string): Hash[] {
    return this.opened((repo) =>
      repo.db
        .prepare(
          `SELECT uuid FROM tagxref JOIN tag USING(tagid) JOIN blob USING(rid) WHERE tagname=?
           ORDER BY tagxref.mtime DESC LIMIT 1`,
        )
        .values<[Hash]>(tag)
        .flat(),
    );
  }

  private commit(edits: CheckInRequest["edits"], comment: string): CheckInResult {
    return this.opened((repo) => commit(repo, { edits, comment, user: this.name, allow: ALLOW }));
  }

  private add(make: (date: number) => Artifact): Hash {
    return this.store(formatArtifact(make(systemClock.now())));
  }

  private store(bytes: Uint8Array): Hash {
    return this.opened((repo) => {
      let rid: Rid | undefined;
      receiveAll(repo, { user: this.name, onWrong: "throw" }, (batch) => {
        rid = batch.add(bytes, { isUnsent: true });
      });
      return repo.content.hashOf(rid!);
    });
  }

  private opened<T>(use: (repo: Repo) => T): T {
    const repo = Repo.open(this.repository, { mode: "write", clock: systemClock, random: systemRandom });
    try {
      return use(repo);
    } finally {
      repo.close();
    }
  }

  private edgesync(...words: string[]): Promise<string> {
    return this.run([...words, "--json", "-R", this.repository]);
  }

  private async run(words: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = isExecutable()
      ? await spawned(words, this.name)
      : await cli(words, { env: { USER: this.name } });
    if (code === 0) return stdout + stderr;
    throw new Surprise(`${this.name}: edgesync ${words.join(" ")}: ended with ${code}\n${stdout}${stderr}`);
  }
}

/** From source the commands run in this process, which is quicker. */
function isExecutable(): boolean {
  return process.env["EDGESYNC_TEST_BINARY"] !== undefined;
}

async function spawned(words: readonly string[], user: string) {
  const child = Bun.spawn([...edgesyncWords(), ...words], {
    env: cliEnv({ USER: user }),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: STEP_MS_MAX,
    killSignal: "SIGKILL",
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  await child.exited;
  return { code: child.exitCode ?? `signal ${child.signalCode}`, stdout, stderr };
}

const STEP_MS_MAX = 60_000;
const ALLOW = { fork: true, older: false, empty: true } as const;
