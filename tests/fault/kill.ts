/**
 * Programs killed with SIGKILL in the middle of an exchange with stock's server, at a byte that a seed chooses, and run
 * again. What must come of it is what comes of a run that nobody disturbs.
 *
 * A kill falls on a byte of the exchange or, past the last one, so many milliseconds after it: what the program does
 * with what it received is part of the run.
 */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { basename, dirname } from "node:path";
import { systemClock } from "../../src/clock.ts";
import { Db } from "../../src/db.ts";
import { type Random, seededRandom, systemRandom } from "../../src/random.ts";
import { Repo } from "../../src/repo.ts";
import { cliEnv } from "../cli-process.ts";
import { copyFixture } from "../interop/fixture.ts";
import { edgesyncWords } from "../interop/leaf-process.ts";
import type { Stock, StockServer } from "../interop/stock.ts";
import { artifactSet, copyRepository, DERIVED_TABLES, diffDumps, dumpTables } from "../interop/tables.ts";
import { grow } from "../sync-peer.ts";
import { TempDir } from "../temp-dir.ts";
import { ByteGate, type Direction } from "./byte-gate.ts";

/** Small, so that an exchange has many rounds. */
const PAGE_BYTES = 20_000;
const PUSH_BYTES = 8_000;

/** Where one kill fell, and what the second run did. */
export interface Kill {
  /** Bytes through before it, and of an undisturbed run. */
  readonly atBytes: number;
  readonly totalBytes: number;
  /** Milliseconds after the last byte; undefined when it fell before that. */
  readonly afterMs: number | undefined;
  /** Whether the program was quicker than the kill. */
  readonly wasDone: boolean;
  /** Bytes of the second run. */
  readonly againBytes: number;
  /** What is wrong; empty when all is well. */
  readonly problems: readonly string[];
}

interface Undisturbed {
  readonly totalBytes: number;
  /** Of each round. */
  readonly rounds: readonly number[];
  /** From the last byte to the end of the process. */
  readonly tailMs: number;
}

export type ScenarioName = "clone" | "pull" | "push";

interface Scenario {
  readonly direction: Direction;
  /** Makes the repository that a run begins with; the client's, or none. */
  prepare(path: string): Promise<void>;
  words(path: string, url: string): readonly string[];
  /** Whether there is nothing to run again for. */
  isDone(path: string): boolean;
  /** What is wrong with what a broken run left. */
  look(path: string): Promise<string[]>;
  /** What is wrong in the end. */
  judge(path: string, undisturbed: string, again: AgainFacts): Promise<string[]>;
}

interface AgainFacts {
  readonly result: Readonly<Record<string, unknown>>;
  readonly bytes: number;
  readonly kill: { readonly atBytes: number; readonly isPast: boolean };
  readonly reference: Undisturbed;
}

export class KillHarness implements AsyncDisposable {
  private readonly temp = new TempDir("kill");
  private count = 0;
  private reference: { readonly path: string; readonly facts: Undisturbed } | undefined;

  private constructor(
    private readonly scenario: Scenario,
    private readonly gate: ByteGate,
    private readonly server: StockServer,
    private readonly random: Random,
    /** Undoes on the server what a run did there. */
    private readonly reset: () => void,
  ) {}

  static async start(name: ScenarioName, stock: Stock, seed: bigint): Promise<KillHarness> {
    const temp = new TempDir("kill-server");
    const served = await copyFixture(temp, stock);
    opened(served, ({ config }) => config.set("max-download", String(PAGE_BYTES)));
    await stock.ok(["user", "new", "eve", "", "pw", "-R", served]);
    await stock.ok(["user", "capabilities", "eve", "i", "-R", served]);
    const early = temp.join("early.fossil");
    if (name !== "clone") {
      const server = await stock.serve(served);
      await stock.ok(["clone", server.url, early, "--no-open"]);
      await server.stop();
    }
    if (name === "pull") opened(served, (repo) => grow(repo, 1, 60));
    if (name === "push") {
      opened(early, (repo) => {
        repo.config.set("max-upload", String(PUSH_BYTES));
        grow(repo, 1, 60);
      });
    }
    const pristine = temp.join("pristine.fossil");
    copyRepository(served, pristine);
    const server = await stock.serve(served);
    const gate = await ByteGate.start(server.url);
    const scenario = name === "clone" ? cloning(stock) : syncing(name, stock, early, served);
    const reset = name === "push" ? () => restore(pristine, served) : () => {};
    return new KillHarness(scenario, gate, server, seededRandom(seed), reset);
  }

  /** One run that nobody disturbs: what the others are compared with. */
  private async undisturbed() {
    if (this.reference !== undefined) return this.reference;
    const path = await this.fresh("undisturbed");
    let lastByteAt = 0;
    this.gate.arm();
    const child = this.spawn(path);
    const watch = setInterval(() => {
      const { passed } = this.gate;
      const now = passed.down + passed.up;
      if (now !== seen) [seen, lastByteAt] = [now, performance.now()];
    }, 1);
    let seen = 0;
    const { code, stderr } = await ended(child);
    clearInterval(watch);
    if (code !== 0) throw new Error(`the undisturbed run ended with ${code}: ${stderr}`);
    const { direction } = this.scenario;
    const facts = {
      totalBytes: this.gate.passed[direction],
      rounds: this.gate.connections.map((counts) => counts[direction]),
      tailMs: Math.max(1, performance.now() - lastByteAt),
    };
    if (facts.rounds.length < 5) throw new Error(`only ${facts.rounds.length} rounds: nothing to break off`);
    this.reference = { path, facts };
    return this.reference;
  }

  /** A run that is killed, and one that goes on from there. */
  async kill(): Promise<Kill> {
    const { path: reference, facts } = await this.undisturbed();
    const { scenario, gate } = this;
    const { direction } = scenario;
    const path = await this.fresh("killed");
    // A fifth of the kills fall behind the last byte.
    const at = Math.floor(this.random.float() * facts.totalBytes * 1.25);
    const isPast = at >= facts.totalBytes;
    const afterMs = isPast ? this.random.float() * facts.tailMs : undefined;
    let child: ReturnType<KillHarness["spawn"]>;
    const action = () => {
      if (afterMs === undefined) child.kill("SIGKILL");
      else setTimeout(() => child.kill("SIGKILL"), afterMs);
    };
    const atBytes = Math.min(Math.max(1, at), facts.totalBytes);
    gate.arm({ direction, bytes: atBytes, shuts: !isPast, action });
    child = this.spawn(path);
    const broken = await ended(child);
    const wasDone = broken.code === 0;
    const problems = broken.code === 0 || broken.wasKilled ? [] : [`ended by itself: ${broken.stderr}`];
    problems.push(...(await scenario.look(path)));
    gate.arm();
    let again: Awaited<ReturnType<typeof ended>> | undefined;
    if (!scenario.isDone(path)) {
      again = await ended(this.spawn(path));
      if (again.code !== 0) problems.push(`the second run ended with ${again.code}: ${again.stderr}`);
    }
    const againBytes = gate.passed[direction];
    if (problems.length === 0) {
      const result = again === undefined ? {} : JSON.parse(again.stdout);
      const kill = { atBytes, isPast };
      problems.push(
        ...(await scenario.judge(path, reference, { result, bytes: againBytes, kill, reference: facts })),
      );
    }
    return { atBytes, totalBytes: facts.totalBytes, afterMs, wasDone, againBytes, problems };
  }

  private async fresh(label: string): Promise<string> {
    const path = this.temp.join(`${++this.count}-${label}`, "x.fossil");
    this.temp.folder(basename(dirname(path)));
    this.reset();
    await this.scenario.prepare(path);
    return path;
  }

  private spawn(path: string) {
    const words = [...edgesyncWords(), ...this.scenario.words(path, this.gate.url), "--json"];
    const env = cliEnv({ EDGESYNC_PASSWORD: "pw" });
    return Bun.spawn(words, { env, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gate[Symbol.asyncDispose]();
    await this.server.stop();
    this.temp.remove();
  }
}

/** Tables of a clone that do not name the machine or the moment. */
const COMPARED_TABLES = [...DERIVED_TABLES, "private", "shun", "reportfmt", "concealed"];

function cloning(stock: Stock): Scenario {
  return {
    direction: "down",
    async prepare() {},
    words: (path, url) => ["repo", "clone", url, path],
    isDone: (path) => existsSync(path),
    async look(path) {
      const names = readdirSync(dirname(path)).filter((name) => !name.startsWith("x.fossil.part"));
      // Either nobody can see it, or it is whole.
      return names.length === 0 ? [] : integrity(stock, path);
    },
    async judge(path, reference, { result, bytes, kill, reference: { rounds, totalBytes } }) {
      const left = readdirSync(dirname(path)).filter((name) => name !== "x.fossil");
      const numbers = (file: string) => rows(file, "SELECT rid || ' ' || uuid FROM blob ORDER BY rid");
      return [
        ...left.map((name) => `left behind: ${name}`),
        ...diffDumps(dumpTables(reference, COMPARED_TABLES), dumpTables(path, COMPARED_TABLES)),
        ...(numbers(reference).join() === numbers(path).join() ? [] : ["other rids"]),
        ...(await integrity(stock, path)),
        ...notFromTheLastPage(kill, rounds, totalBytes, bytes),
        ...(result["isResumed"] === false && bytes < totalBytes * 0.9 ? ["it does not say it went on"] : []),
      ];
    },
  };
}

/**
 * The page under way when the kill fell is fetched again, and the one before it may be: it is stored while the
 * next one travels.
 */
function notFromTheLastPage(
  { atBytes, isPast }: AgainFacts["kill"],
  rounds: readonly number[],
  totalBytes: number,
  againBytes: number,
): string[] {
  let whole = 0;
  let before = 0;
  while (whole < rounds.length && before + rounds[whole]! <= atBytes) before += rounds[whole++]!;
  const kept = isPast ? rounds.length : whole;
  const surelyStored = rounds.slice(0, Math.max(0, kept - 1)).reduce((sum, bytes) => sum + bytes, 0);
  // Requests differ in their length by what they have to say of where they are.
  const most = totalBytes - surelyStored + 1_000;
  return againBytes <= most ? [] : [`fetched ${againBytes} bytes again, of which ${most} were missing`];
}

function syncing(direction: "pull" | "push", stock: Stock, early: string, served: string): Scenario {
  return {
    direction: direction === "pull" ? "down" : "up",
    async prepare(path) {
      copyRepository(early, path);
    },
    words: (path, url) => ["sync", direction, url.replace("//", "//eve@"), "-R", path],
    isDone: () => false,
    look: (path) => integrity(stock, direction === "pull" ? path : served),
    async judge(path, reference) {
      const [theirs, ours] = [publicSet(served), publicSet(path)];
      const same = theirs.join("\n") === ours.join("\n");
      return [
        ...rows(path, WAITING_SQL).map((rid) => `still waiting: ${rid}`),
        ...(same ? [] : [`${ours.length} artifacts here, ${theirs.length} there`]),
        ...diffDumps(dumpTables(reference, COMPARED_TABLES), dumpTables(path, COMPARED_TABLES)),
        ...(direction === "push" ? rows(path, "SELECT 'unsent ' || rid FROM unsent") : []),
        ...(await integrity(stock, direction === "pull" ? path : served)),
      ];
    },
  };
}

const publicSet = (path: string) => artifactSet(path).filter((line) => !line.endsWith(" private"));

/** Artifacts that cannot be expanded yet, because what they are a delta of is still to come. */
const WAITING_SQL = `
  WITH RECURSIVE waiting(rid) AS (SELECT rid FROM phantom UNION SELECT delta.rid FROM delta JOIN waiting ON srcid=waiting.rid)
  SELECT CAST(rid AS TEXT) FROM waiting JOIN blob USING(rid) WHERE size>=0`;

/** What stock finds wrong with a repository, but for artifacts that wait for others. */
async function integrity(stock: Stock, path: string): Promise<string[]> {
  const { stdout } = await stock.run(["test-integrity", "-R", path]);
  const waiting = new Set(rows(path, WAITING_SQL));
  const wrong = [...stdout.matchAll(/on artifact (\d+)/g)].filter(([, rid]) => !waiting.has(rid!));
  const isSound = /low-level database integrity-check: ok/.test(stdout);
  const summary = /\d+ non-phantom blobs .*/.exec(stdout)?.[0] ?? "it did not come to its end";
  return isSound && wrong.length === 0 && (waiting.size > 0 || / 0 errors/.test(summary)) ? [] : [summary];
}

function rows(path: string, sql: string): string[] {
  const db = Db.open(path, { mode: "read" });
  try {
    return db.prepare(sql).values<[string]>().flat();
  } finally {
    db.close();
  }
}

function opened(path: string, use: (repo: Repo) => void): void {
  const repo = Repo.open(path, { mode: "write", clock: systemClock, random: systemRandom });
  try {
    use(repo);
  } finally {
    repo.close();
  }
}

/** Puts a database's content back in place, for whoever has it open. */
function restore(from: string, to: string): void {
  for (const suffix of ["-wal", "-shm", "-journal"]) rmSync(to + suffix, { force: true });
  copyRepository(from, to);
}

async function ended(child: Bun.Subprocess<"ignore", "pipe", "pipe">) {
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  const code = await child.exited;
  return { code, stdout, stderr, wasKilled: child.signalCode === "SIGKILL" };
}
