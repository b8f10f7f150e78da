/**
 * The game: a leaf, and people who work on its project at the same time, two with stock Fossil and one with
 * EdgeSync. Each does the steps of the plan one after the other; the players run beside each other. Then all
 * exchange until nobody has news, and everything is looked at:
 *
 *   - the same artifacts everywhere, private ones with those who may have them; the same unversioned files; the
 *     same configuration; nothing asked for in vain;
 *   - `test-integrity` finds no error in any file, nor does our own check;
 *   - the tables of the leaf's file and of our clone are those that a stock rebuild of a copy makes; those of
 *     stock's clones are compared too, to tell what stock itself does not keep;
 *   - all of it once more after everyone has removed what is shunned, the leaf while it serves.
 *
 * What is shunned and not removed yet makes a rebuild differ: rows that mention it are left out of the first
 * comparison.
 */
import { partsOfSetting } from "../../src/repo-config-settings.ts";
import type { TempDir } from "../temp-dir.ts";
import { look } from "./converge-look.ts";
import { OurPlayer } from "./converge-ours.ts";
import { CONTESTED, type Kind, plan, SPAM } from "./converge-plan.ts";
import { type Player, Surprise } from "./converge-player.ts";
import { StockPlayer } from "./converge-stock.ts";
import { edgesyncWords, LeafProcess } from "./leaf-process.ts";
import { newestStock, type Stock } from "./stock.ts";
import {
  artifactSet,
  copyRepository,
  type Dump,
  diffDumps,
  dumpTables,
  rebuildable,
  timesOf,
} from "./tables.ts";

export const PASSWORD = "pass word";
const ROUNDS_MAX = 8;

/** Logins at the leaf and what they may do; `bea` gets no private artifacts and changes no configuration. */
const PEOPLE = { ann: "sxy", bea: "vy", cid: "sxy" } as const;

export interface GameOptions {
  readonly seed: number;
  readonly steps: number;
  /** Two versions, or one twice. */
  readonly stocks: readonly [Stock, Stock];
  readonly temp: TempDir;
}

export interface GameResult {
  /** What is not as it should be; empty when all is well. */
  readonly problems: string[];
  /** What stock's own clones do not keep. */
  readonly remarks: string[];
  readonly counts: Readonly<Partial<Record<Kind, number>>>;
  readonly facts: Readonly<Record<string, number>>;
}

export async function playConvergence(options: GameOptions): Promise<GameResult> {
  const game = new Game(options);
  await game.play();
  return game;
}

class Game implements GameResult {
  readonly problems: string[] = [];
  readonly remarks: string[] = [];
  readonly counts: Partial<Record<Kind, number>> = {};
  readonly facts: Record<string, number> = {};
  private readonly served: string;
  private readonly checker: Stock;

  constructor(private readonly options: GameOptions) {
    this.served = options.temp.join("served.fossil");
    this.checker = newestStock();
  }

  async play(): Promise<void> {
    await this.makeProject();
    const leaf = await LeafProcess.start(this.served);
    try {
      const players = await this.join(leaf);
      const started = performance.now();
      await this.work(players);
      this.facts["work ms"] = Math.round(performance.now() - started);
      await this.settle(players, "rounds until quiet");
      await this.compare(players, "");
      if (this.files(players).some((file) => look(file, "shunned").length > 0)) {
        await this.purge(players);
        await this.settle(players, "rounds after the purge");
        await this.compare(players, "purged: ");
      }
    } finally {
      const status = await leaf.stop();
      if (status !== 0) this.problems.push(`the leaf ended with ${status}: ${leaf.stderr}`);
    }
  }

  private async makeProject(): Promise<void> {
    const [stock] = this.options.stocks;
    await stock.ok(["new", this.served, "-A", "dev"]);
    for (const [login, capabilities] of Object.entries(PEOPLE)) {
      await stock.ok(["user", "new", login, `${login}@example.org`, PASSWORD, "-R", this.served]);
      await stock.ok(["user", "capabilities", login, capabilities, "-R", this.served]);
    }
  }

  private async join(leaf: LeafProcess): Promise<Player[]> {
    const { temp, stocks } = this.options;
    const place = (name: keyof typeof PEOPLE) => ({
      name,
      isTrusted: PEOPLE[name].includes("x"),
      url: leaf.urlAs(name, PASSWORD),
    });
    return [
      await StockPlayer.join(stocks[0], temp, place("ann"), true),
      await StockPlayer.join(stocks[1], temp, place("bea"), false),
      await OurPlayer.join(temp, place("cid")),
    ];
  }

  private async work(players: readonly Player[]): Promise<void> {
    const { seed, steps } = this.options;
    const plans = plan(
      seed,
      steps,
      players.map(({ name }) => name),
    );
    await Promise.all(
      players.map(async (player, i) => {
        for (const step of plans[i]!) {
          this.counts[step.kind] = (this.counts[step.kind] ?? 0) + 1;
          await this.watch(`${step.kind} ${step.id}`, () => player.verbs[step.kind](step));
        }
      }),
    );
  }

  /** Everyone exchanges with the leaf, beside each other, until nothing has changed anywhere. */
  private async settle(players: readonly Player[], fact: string): Promise<void> {
    let before = "";
    for (let round = 1; round <= ROUNDS_MAX; round++) {
      const said: string[] = [];
      await Promise.all(
        players.map((player) =>
          this.watch(`settle ${player.name}`, async () => {
            said.push(`${player.name}: ${await player.settle()}`);
          }),
        ),
      );
      const after = JSON.stringify(this.files(players).map(holdings));
      this.facts[fact] = round;
      if (after === before) return this.checkQuiet(said);
      before = after;
    }
    this.problems.push(`there is still news after ${ROUNDS_MAX} rounds`);
  }

  /** A sync without news moves nothing. */
  private checkQuiet(said: readonly string[]): void {
    for (const words of said) {
      const stock = /Artifacts sent: (\d+) +received: (\d+)/.exec(words);
      const ours = /"artifactsSent":\s*(\d+),\s*"artifactsReceived":\s*(\d+)/.exec(words);
      const [, sent, received] = stock ?? ours ?? [];
      if (sent !== "0" || received !== "0") this.problems.push(`a sync without news says: ${words}`);
    }
  }

  /** The leaf's file is purged from outside, while the leaf serves it. */
  private async purge(players: readonly Player[]): Promise<void> {
    const words = [...edgesyncWords(), "repo", "shun", "purge", "-R", this.served, "--user", "dev"];
    const child = Bun.spawn(words, { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
    const stderr = await new Response(child.stderr).text();
    if ((await child.exited) !== 0) this.problems.push(`the leaf's file was not purged: ${stderr}`);
    for (const player of players) await this.watch(`purge ${player.name}`, () => player.purge());
  }

  private async compare(players: readonly Player[], when: string): Promise<void> {
    const files = this.files(players);
    const [leaf, ...clones] = files.map(holdings);
    const shunned = new Set(look(this.served, "shunned"));
    for (const [i, { name, isTrusted }] of players.entries()) {
      const visible = ({ artifacts, unversioned, configuration }: Holdings): Dump =>
        new Map([
          ["artifacts", artifacts.filter((line) => isTrusted || !line.endsWith(" private"))],
          ["unversioned", unversioned],
          ["configuration", configuration.filter((line) => isTrusted || isForAll(line))],
        ]);
      const unshunned = (all: Holdings) => ({
        ...all,
        artifacts: all.artifacts.filter((line) => !shunned.has(line.split(" ")[0]!)),
      });
      const [theirs, own] = [leaf!, clones[i]!].map((all) => visible(unshunned(all)));
      const differences = diffDumps(theirs!, own!, ["the leaf", name]);
      this.report(`${when}${name} does not hold what the leaf holds`, differences);
    }
    const names = ["the leaf", ...players.map(({ name }) => name)];
    for (const [i, file] of files.entries()) {
      const isOurs = i === 0 || i === files.length - 1;
      await this.inspect(file, `${when}${names[i]}`, isOurs);
    }
    Object.assign(this.facts, {
      artifacts: leaf!.artifacts.length,
      private: leaf!.artifacts.filter((line) => line.endsWith(" private")).length,
      clusters: look(this.served, "clusters").length,
      shunned: look(this.served, "shunned").length,
      forks: look(this.served, "forks").length,
      tickets: look(this.served, "tickets").length,
    });
  }

  private async inspect(file: string, name: string, isOurs: boolean): Promise<void> {
    const { stocks } = this.options;
    for (const stock of new Set(stocks)) {
      const { stdout, stderr } = await stock.run(["test-integrity", "-R", file]);
      if (!/ 0 errors/.test(stdout)) this.problems.push(`${name}: test-integrity: ${stdout}${stderr}`);
    }
    // What was offered here and then shunned where it was remains wanted until a rebuild.
    const shunned = look(file, "shunned");
    const missing = look(file, "phantoms").filter((hash) => !shunned.includes(hash));
    if (missing.length > 0) this.problems.push(`${name}: missing artifacts: ${missing.join(" ")}`);
    const differences = await this.parity(file);
    if (isOurs) this.report(`${name} differs from its rebuild`, differences);
    const tables = differences.filter((line) => !line.startsWith(" "));
    if (!isOurs && tables.length > 0) this.remarks.push(`${name}: ${tables.join("; ")}`);
  }

  /** What a stock rebuild of a copy changes, but for what is shunned and still here. */
  private async parity(file: string): Promise<string[]> {
    const { temp } = this.options;
    const copy = temp.join("rebuilt.fossil");
    copyRepository(file, copy);
    await this.checker.ok(["rebuild", copy]);
    const [shunned, times] = [look(file, "shunned"), timesOf(this.checker)];
    const dump = (path: string) => rebuildable(dumpTables(path, undefined, times), "received");
    const [before, after] = [dump(file), dump(copy)];
    const affected = new Set<string>();
    for (const line of before.get("mlink") ?? []) {
      if (shunned.some((hash) => line.includes(hash))) affected.add(/^mid=<(\w+)>/.exec(line)![1]!);
    }
    const keep = (whole: Dump): Dump =>
      new Map(
        [...whole].map(([table, lines]) => [
          table,
          lines.filter((line) => {
            const isShunned = table !== "shun" && shunned.some((hash) => line.includes(hash));
            const isSpam = shunned.length > 0 && line.includes(SPAM);
            const isAffected = table === "mlink" && [...affected].some((hash) => line.includes(hash));
            return !isShunned && !isSpam && !isAffected;
          }),
        ]),
      );
    return diffDumps(keep(before), keep(after), ["the file", "its rebuild"]);
  }

  private files(players: readonly Player[]): string[] {
    return [this.served, ...players.map(({ repository }) => repository)];
  }

  private report(what: string, differences: readonly string[]): void {
    if (differences.length > 0) this.problems.push([what, ...differences].join("\n"));
  }

  private async watch(what: string, body: () => Promise<void>): Promise<void> {
    try {
      await body();
    } catch (error) {
      if (!(error instanceof Surprise) && !(error instanceof Error)) throw error;
      this.problems.push(`${what}: ${error.message}`);
    }
  }
}

/** Whether a row of the configuration reaches those without rights to it, and comes from nobody else's clone. */
function isForAll(line: string): boolean {
  return (
    /^(?:shun|reportfmt): /.test(line) ||
    CONTESTED.some((name) => line.startsWith(`name=${JSON.stringify(name)} `))
  );
}

interface Holdings {
  readonly artifacts: readonly string[];
  readonly unversioned: readonly string[];
  readonly configuration: readonly string[];
}

function holdings(file: string): Holdings {
  const tables = dumpTables(file, ["config", "shun", "reportfmt", "concealed"]);
  const settings = (tables.get("config") ?? []).filter((line) => {
    const name = JSON.parse(/^name=("(?:[^"\\]|\\.)*")/.exec(line)?.[1] ?? '""') as string;
    return partsOfSetting(name).some((part) => part !== "user");
  });
  const rows = ["shun", "reportfmt", "concealed"].flatMap((table) =>
    (tables.get(table) ?? []).map((line) => `${table}: ${line.replace(/^rn=\d+ /, "")}`),
  );
  return {
    artifacts: artifactSet(file),
    unversioned: look(file, "unversioned").filter((line) => !/ - 0$/.test(line)),
    configuration: [...settings, ...rows].sort(),
  };
}
