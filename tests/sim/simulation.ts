/**
 * One simulated world from one seed: machines with leaves, people, a bad network, liars; then peace, in which
 * all honest machines must come to agree. The same plan gives the same trace, byte for byte.
 *
 * Past 400 lines because it is one world: who is in it, what happens and what is judged share all of its state.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { copyFileSync } from "node:fs";
import type { Db } from "../../src/db.ts";
import { setFaultHandler } from "../../src/fault-point.ts";
import { type Hash, sha1Hex } from "../../src/hash.ts";
import type { SyncOutcome } from "../../src/leaf-sync.ts";
import { type LogFields, silentLogger } from "../../src/log.ts";
import { seededRandom } from "../../src/random.ts";
import { Repo } from "../../src/repo.ts";
import { rebuildRepository } from "../../src/repo-rebuild.ts";
import { findTable } from "../../src/repo-table.ts";
import { type TableRow, tableRows } from "../../src/repo-table-row.ts";
import { Unversioned, type UnversionedEntry } from "../../src/repo-unversioned.ts";
import { decodeMessage } from "../../src/xfer-message.ts";
import { TempDir } from "../temp-dir.ts";
import { startSimulatedBridge } from "./bridge.ts";
import {
  agreementOf,
  checkBroadcast,
  checkExchange,
  checkFile,
  disagreements,
  holdings,
  PASSWORDS,
  PEOPLE,
  type Person,
  privateHoldings,
  shunned,
} from "./checks.ts";
import { takeClone } from "./clone.ts";
import { Dice } from "./dice.ts";
import { isServerLie, lieAsClient, lieAsServer } from "./liar.ts";
import { isOrdinaryRefusal, live, TABLE } from "./life.ts";
import { type MeshWorld, peerIdOf } from "./mesh.ts";
import { Crash, MortalClock } from "./mortal.ts";
import { type Letter, Network, type Reply, SimulatedTransport } from "./network.ts";
import { SimulatedNode, type Stock } from "./node.ts";
import { describeStep, type Plan, type Step, WORK_MS } from "./plan.ts";
import { FAULTS } from "./severity.ts";
import { SimulatedSockets } from "./sockets.ts";
import { START, templateFor } from "./template.ts";
import { NodeClock, Timeline } from "./timeline.ts";

/** Within this many polls of peace all must agree. */
const POLLS_OF_PEACE_MAX = 12;
const MESSAGES_MAX = 20_000;
const ROUNDS_PER_SYNC_MAX = 100;
/** By which all machines of a world together may make the process grow; looked at now and then. */
const MEMORY_GROWTH_MAX_MB = 600;
const MEMORY_LOOK_EVERY = 64;
/** A liar looks again after so long. */
const WAIT_MS = 60_000;
/** Without an artifact either way. */
const IDLE_ROUNDS_MAX = 12;
const ENOUGH_PAGES = 1_073_741_823;

export interface SimulationResult {
  /** Hash of everything that happened. */
  readonly trace: string;
  /** Empty: all that must hold held. */
  readonly defects: readonly string[];
  readonly artifacts: number;
  readonly messages: number;
  readonly crashes: number;
  /** From the beginning of peace until all agreed, in simulated milliseconds. */
  readonly agreedAfterMs: number;
}

export interface SimulationOptions {
  /** Hears what happens, line by line. */
  readonly onTrace?: (line: string) => void;
}

export async function simulate(plan: Plan, options: SimulationOptions = {}): Promise<SimulationResult> {
  using folder = new TempDir("sim");
  const world = new World(plan, folder, options);
  try {
    return await world.run();
  } finally {
    world.end();
  }
}

class World {
  private readonly timeline = new Timeline();
  private readonly network: Network;
  private readonly nodes: SimulatedNode[] = [];
  /** Whose code is running. */
  private readonly whose = new AsyncLocalStorage<SimulatedNode>();
  private readonly faultDice: Dice;
  private readonly defects: string[] = [];
  private readonly lines: string[] = [];
  private readonly privateHashes = new Set<Hash>();
  /** What each node has had, by name: it must never be without it again. */
  private readonly had = new Map<string, Set<Hash>>();
  private readonly newestFiles = new Map<string, number>();
  /** Files that somebody whose clock had gone back replaced by what counts as older: which version stays is open. */
  private readonly agedFiles = new Set<string>();
  /** What Tom may do, by machine. */
  private readonly grants = new Map<string, string>();
  private readonly mesh: MeshWorld | undefined;
  /** Machines whose disk has been full. */
  private readonly smallDisks = new Set<string>();
  /** Where Tom's password is another. */
  private readonly locksOut = new Set<string>();
  /** Rows that were written, by machine, then by key. */
  private readonly rows = new Map<string, Map<string, TableRow>>();
  /** Machines that died, or whose disk was full, while somebody shunned. */
  private readonly halfShunned = new Set<string>();
  private recorded: Letter | undefined;
  private readonly baseMb = memoryMb();
  private exchanges = 0;
  private crashes = 0;

  constructor(
    private readonly plan: Plan,
    private readonly folder: TempDir,
    private readonly options: SimulationOptions,
  ) {
    const dice = new Dice(plan.seed ^ 0x5eedn);
    this.faultDice = new Dice(dice.seed());
    const faults = FAULTS[plan.severity];
    const trace = (line: string) => this.trace(line);
    this.network = new Network(this.timeline, new Dice(dice.seed()), faults, trace);
    const template = templateFor(plan.nobody);
    const sockets = new SimulatedSockets(this.timeline, this.network, new Dice(dice.seed()), trace);
    const onMessage = (subject: string, payload: Uint8Array) => this.afterBroadcast(subject, payload);
    this.mesh = plan.ways === "http" ? undefined : { sockets, hub: "node0", onMessage };
    for (let i = 0; i < plan.nodeCount; i++) {
      const path = folder.join(`node${i}.fossil`);
      copyFileSync(template, path);
      const login: Person = i === 0 ? "pat" : dice.pick(["carl", "pat", "rita", "tom"] as const);
      const isBehindBridge = plan.hasBridge && i === plan.nodeCount - 1;
      const drift = plan.severity === "calm" ? 0 : dice.between(-0.001, 0.001);
      this.nodes.push(
        new SimulatedNode({
          name: `node${i}`,
          path,
          clock: new NodeClock(this.timeline, START + i, drift),
          random: seededRandom(dice.seed()),
          network: this.network,
          login: { user: login, password: PASSWORDS[login] },
          syncsPrivate: login === "pat" && dice.chance(0.5),
          pollMs: plan.pollMs,
          meshPollMs: plan.pollMs,
          mesh: isBehindBridge ? undefined : this.mesh,
          onServed: (...facts) => this.afterExchange(...facts),
          onOutcome: (node, outcome) => this.afterSync(node, outcome),
          onLog: (...line) => this.afterLog(...line),
          onDefect: (text) => this.defect(text),
          within: (node, body) => this.whose.run(node, body),
        }),
      );
      this.had.set(`node${i}`, new Set());
      this.rows.set(`node${i}`, new Map());
      this.grants.set(`node${i}`, PEOPLE.tom);
    }
  }

  async run(): Promise<SimulationResult> {
    setFaultHandler((site, subject) => this.atFaultPoint(site, subject));
    if (this.plan.ways !== "nats") for (const node of this.nodes) node.knows(this.nodes);
    for (const node of this.nodes) this.startNode(node);
    if (this.plan.hasBridge) this.startBridge(this.nodes.at(-1)!);
    for (const step of this.plan.steps)
      this.timeline.after(step.at, () => {
        this.take(step).catch((error: unknown) => this.defect(`${step.kind}: ${stackOf(error)}`));
      });
    await this.timeline.runUntil(WORK_MS, () => this.isHopeless);
    const agreedAfterMs = await this.makePeace();
    for (const node of this.nodes) {
      if (this.isHopeless) break;
      this.checkNothingLost(node);
      this.defects.push(...(await checkFile(node, this.privateHashes)));
    }
    return {
      trace: sha1Hex(this.lines.join("\n")),
      defects: this.defects,
      artifacts: Math.max(...this.nodes.map((node) => (node.isUp ? holdings(node.repo).length : 0))),
      messages: this.network.messageCount,
      crashes: this.crashes,
      agreedAfterMs,
    };
  }

  end(): void {
    setFaultHandler(undefined);
    for (const node of this.nodes) node.crash();
  }

  private get isHopeless(): boolean {
    return this.network.messageCount > MESSAGES_MAX;
  }

  private trace(line: string): void {
    const full = `${this.timeline.now.toFixed(3)} ${line}`;
    this.lines.push(full);
    this.options.onTrace?.(full);
  }

  private defect(text: string): void {
    this.trace(`DEFECT ${text}`);
    this.defects.push(text);
  }

  private startNode(node: SimulatedNode): void {
    if (node.isUp) return;
    this.whose.run(node, () => node.start());
    this.trace(`${node.name} up`);
  }

  private async take(step: Step): Promise<void> {
    const node = this.nodes[step.node]!;
    this.trace(describeStep(step));
    switch (step.kind) {
      case "deed":
        return this.doDeed(node, step);
      case "sync":
        return void (await node.sync(this.nodes[step.peer]!, "asked"));
      case "clone":
        return this.clone(node, this.nodes[step.peer]!, step.seed);
      case "grant":
        return this.grant(node, step.capabilities);
      case "password":
        return this.setPassword(node, step.isOwn);
      case "crash":
        return this.crash(node, step.forMs);
      case "partition": {
        const peer = this.nodes[step.peer]!.name;
        this.network.cut(node.name, peer, step.forMs);
        if (!step.oneWay) this.network.cut(peer, node.name, step.forMs);
        return;
      }
      case "clock":
        return node.options.clock.jump(step.byMs);
      case "disk":
        node.diskPagesLeft = step.pages;
        this.timeline.after(step.forMs, () => {
          node.diskPagesLeft = undefined;
        });
        return;
      case "liar":
        return this.lie(node, step);
    }
  }

  private doDeed(node: SimulatedNode, { deed, seed }: Extract<Step, { kind: "deed" }>): void {
    if (!node.isUp) return;
    const { repo } = node;
    const before = new Unversioned(repo).entries();
    let isWhole = false;
    try {
      const done = this.whose.run(node, () => live(repo, deed, seed));
      isWhole = node.isUp;
      if (done === undefined || !node.isUp) return;
      if (done.row !== undefined) this.rows.get(node.name)!.set(done.row.pk, done.row);
      for (const hash of privateHoldings(repo)) this.privateHashes.add(hash);
      this.noteFiles(repo);
      this.remember(node);
    } catch (error) {
      if (error instanceof Crash || !node.isUp) return;
      if (!isOrdinaryRefusal(error)) this.defect(`${node.name} ${deed}: ${stackOf(error)}`);
      else this.trace(`${node.name} ${deed} refused: ${(error as { code?: string }).code}`);
    } finally {
      this.noteAged(before, repo);
      if (deed === "shun" && !isWhole) this.halfShunned.add(node.name);
    }
  }

  private crash(node: SimulatedNode, forMs: number): void {
    if (!node.isUp) return;
    this.crashes++;
    this.trace(`${node.name} crashed`);
    node.crash();
    this.timeline.after(forMs, () => this.startNode(node));
  }

  private atFaultPoint(site: string, subject: unknown): void {
    const node = this.whose.getStore();
    if (node === undefined) return;
    if (site === "db-begun" && (node.diskPagesLeft !== undefined || this.smallDisks.has(node.name))) {
      // Of a connection: it holds for each until it is told otherwise.
      this.smallDisks.add(node.name);
      const db = subject as Db;
      const pages = db.prepare("PRAGMA page_count").value<number>()!;
      const most = node.diskPagesLeft === undefined ? ENOUGH_PAGES : pages + node.diskPagesLeft;
      db.once(`PRAGMA max_page_count=${most}`, (statement) => statement.all());
    }
    if (!node.isUp || !this.faultDice.chance(this.network.faults.crash)) return;
    this.crashes++;
    this.trace(`${node.name} crashed at ${site}`);
    node.die();
    this.timeline.after(0, () => node.crash());
    this.timeline.after(10_000, () => this.startNode(node));
    throw new Crash();
  }

  private afterExchange(node: SimulatedNode, letter: Letter, reply: Reply, before: Stock): void {
    const mayPush = letter.as !== undefined && PEOPLE[letter.as as Person].includes("i");
    if (mayPush && this.recorded === undefined && isReadable(letter)) {
      this.recorded = letter;
    }
    if (++this.exchanges % MEMORY_LOOK_EVERY === 0) this.checkMemory();
    const after = node.stock();
    const problems = checkExchange({
      letter,
      reply,
      before,
      after,
      nobody: this.plan.nobody,
      tom: this.locksOut.has(node.name) ? undefined : this.grants.get(node.name)!,
      // A bridge sends on what it got, in its own name.
      senderIsPrivate: this.nodes.some(
        ({ name, options }) =>
          options.syncsPrivate &&
          (letter.peerId === undefined
            ? options.login?.user === letter.as || this.plan.hasBridge
            : letter.peerId === peerIdOf(name)),
      ),
      privateHashes: this.privateHashes,
    });
    for (const problem of problems) this.defect(`${node.name}: ${problem}`);
    if (after !== before) this.remember(node);
  }

  private afterBroadcast(subject: string, payload: Uint8Array): void {
    const { nobody } = this.plan;
    this.trace(`${subject} ${payload.length}`);
    for (const problem of checkBroadcast(subject, payload, { nobody, privateHashes: this.privateHashes }))
      this.defect(problem);
  }

  private startBridge(server: SimulatedNode): void {
    const owner = { name: "bridge", isUp: true, run: (body: () => void) => this.whose.exit(body) };
    const clock = new MortalClock(new NodeClock(this.timeline, START, 0), owner);
    const login = { user: "carl", password: PASSWORDS.carl };
    const endpoint = {
      name: "bridge",
      isUp: true,
      serve: () => Promise.reject(new Error("it serves nobody")),
    };
    const connect = () =>
      new SimulatedTransport(server.name, login.user, (letter) =>
        this.network.exchange(endpoint, server, letter),
      );
    const projectCode = server.repo.config.projectCode!;
    const deps = { clock, random: seededRandom(this.plan.seed), log: silentLogger };
    startSimulatedBridge(
      owner,
      this.mesh!,
      { projectCode, login, pollMs: this.plan.pollMs / 4, connect },
      deps,
    );
  }

  /** Somebody at a machine clones another; no code of a machine runs, so no crash comes of it. */
  private async clone(node: SimulatedNode, peer: SimulatedNode, seed: bigint): Promise<void> {
    if (!peer.isUp) return;
    const secret = new Set(privateHoldings(peer.repo));
    const expected = agreementOf(peer.repo).artifacts.filter((hash) => !secret.has(hash));
    const mayLack = shunned(peer.repo);
    const endpoint = {
      name: node.name,
      isUp: true,
      serve: () => Promise.reject(new Error("it serves nobody")),
    };
    const connect = () =>
      new SimulatedTransport(peer.name, "carl", (letter) => this.network.exchange(endpoint, peer, letter));
    const { problems, end } = await this.whose.exit(() =>
      takeClone({
        target: this.folder.join(`clone-${seed}.fossil`),
        seed,
        clock: new NodeClock(this.timeline, START, 0),
        login: { user: "carl", password: PASSWORDS.carl },
        connect,
        expected: expected.filter((hash) => !mayLack.has(hash)),
        privateHashes: this.privateHashes,
      }),
    );
    this.trace(`${node.name} cloned ${peer.name}: ${end}`);
    for (const problem of problems) {
      // What was shunned meanwhile is rightly missing.
      if (
        !problem.startsWith("a clone lacks") ||
        [...this.shunnedAt(peer)].every((hash) => mayLack.has(hash))
      )
        this.defect(`${node.name} cloned ${peer.name}: ${problem}`);
    }
  }

  /** What a machine shuns, though it be down. */
  private shunnedAt(node: SimulatedNode): Set<Hash> {
    if (node.isUp) return shunned(node.repo);
    const { path, clock } = node.options;
    const repo = Repo.open(path, { mode: "read", clock, random: seededRandom(5n) });
    try {
      return shunned(repo);
    } finally {
      repo.close();
    }
  }

  /** To shun is two steps: who died between them does the second when all is well again. */
  private endShunning({ repo }: SimulatedNode): void {
    const has = new Set(holdings(repo));
    if ([...shunned(repo)].some((hash) => has.has(hash)))
      rebuildRepository(repo, { user: () => "ann", version: "simulation" });
  }

  private grant(node: SimulatedNode, capabilities: string): void {
    if (!node.isUp) return;
    this.grants.set(node.name, this.grants.get(node.name)! + capabilities);
    try {
      this.whose.run(node, () => node.repo.users.setCapabilities("tom", capabilities));
      this.grants.set(node.name, capabilities);
    } catch (error) {
      // Its disk is full, or it died over it.
      if (!(error instanceof Crash) && !isOrdinaryRefusal(error)) throw error;
    }
  }

  private setPassword(node: SimulatedNode, isOwn: boolean): void {
    if (!node.isUp) return;
    // Of a machine that dies over it nobody knows whether it was set.
    this.locksOut.delete(node.name);
    try {
      this.whose.run(node, () => node.repo.users.setPassword("tom", isOwn ? PASSWORDS.tom : "another"));
      if (!isOwn) this.locksOut.add(node.name);
    } catch (error) {
      if (!(error instanceof Crash) && !isOrdinaryRefusal(error)) throw error;
    }
  }

  private afterSync(node: SimulatedNode, outcome: SyncOutcome): void {
    const { error, rounds, peer } = outcome;
    if (rounds > ROUNDS_PER_SYNC_MAX) this.defect(`${node.name} took ${rounds} rounds with ${peer}`);
    const { artifactsSent: sent, artifactsReceived: got } = outcome;
    this.trace(
      `${node.name}<${peer} synced: ${rounds} rounds, ${sent} sent, ${got} got, ${error?.code ?? "ok"}`,
    );
    this.remember(node);
  }

  /** What a leaf logs of its syncs. */
  private afterLog(node: SimulatedNode, level: string, message: string, fields: LogFields): void {
    if (!node.isUp) return;
    this.trace(`${node.name} ${level}: ${message} ${JSON.stringify(fields)}`);
    if (fields["code"] === "internal") this.defect(`${node.name}: ${fields["reason"]}`);
  }

  private checkMemory(): void {
    const grownMb = memoryMb() - this.baseMb;
    if (grownMb > MEMORY_GROWTH_MAX_MB) this.defect(`memory grew by ${Math.round(grownMb)} MB`);
  }

  private remember(node: SimulatedNode): void {
    const had = this.had.get(node.name)!;
    for (const hash of holdings(node.repo)) had.add(hash);
  }

  /** The newest version of each unversioned file, or mark of its deletion, that was made anywhere. */
  private noteFiles(repo: Repo): void {
    for (const { name, mtime } of new Unversioned(repo).entries()) {
      this.newestFiles.set(name, Math.max(mtime, this.newestFiles.get(name) ?? 0));
    }
  }

  /** Of a machine that has died over it, too: its file is closed later. */
  private noteAged(before: readonly UnversionedEntry[], repo: Repo): void {
    const now = new Map(new Unversioned(repo).entries().map(({ name, mtime }) => [name, mtime]));
    for (const { name, mtime } of before) if (now.get(name)! < mtime) this.agedFiles.add(name);
  }

  private checkNothingLost(node: SimulatedNode): void {
    // Of two marks of deletion the later need not travel: the catalogs are of live files.
    for (const { name, mtime, hash } of new Unversioned(node.repo).entries()) {
      const newest = this.newestFiles.get(name) ?? 0;
      if (hash !== undefined && mtime < newest && !this.agedFiles.has(name))
        this.defect(`${node.name} has an old version of the file ${name}`);
    }
    const table = findTable(node.repo, TABLE);
    const rows = table === undefined ? [] : tableRows(node.repo, table, { withDeleted: true });
    const here = new Map(rows.map((row) => [row.pk, row]));
    for (const [pk, row] of this.rows.get(node.name)!) {
      const found = here.get(pk);
      // A newer one was written by somebody whom the machine did not live to tell.
      if (
        found === undefined ||
        found.mtime < row.mtime ||
        (found.mtime === row.mtime && !Bun.deepEquals(found, withAll(row, found)))
      )
        this.defect(`${node.name} has lost the row ${pk}`);
    }
    const has = new Set(holdings(node.repo));
    const mayLack = shunned(node.repo);
    for (const hash of this.had.get(node.name)!) {
      if (!has.has(hash) && !mayLack.has(hash)) this.defect(`${node.name} has lost ${hash}`);
    }
  }

  private async lie(
    node: SimulatedNode,
    { lie, seed }: Pick<Extract<Step, { kind: "liar" }>, "lie" | "seed">,
  ): Promise<void> {
    if (!node.isUp) return;
    const dice = new Dice(seed);
    if (isServerLie(lie)) {
      let round = 0;
      const answer = async () => {
        // At once: who asks for ever dies in the end, and tells nobody.
        if (round === IDLE_ROUNDS_MAX && lie === "endless-igots")
          this.defect(`${lie} held ${node.name} for ${round} rounds`);
        return lieAsServer(lie, dice, round++);
      };
      const outcome = await node.syncWithStranger(lie, answer);
      if (outcome !== undefined && round > ROUNDS_PER_SYNC_MAX)
        this.defect(`${lie} held ${node.name} for ${round} rounds`);
      return;
    }
    const { recorded } = this;
    const projectCode = node.repo.config.get("project-code")!;
    const { privateHashes } = this;
    const letter = lieAsClient(lie, dice, { projectCode, recorded, privateHashes });
    // Who asks for what is private asks when and where there is some.
    if (lie === "private-gimme" && privateHashes.size === 0 && this.timeline.now + WAIT_MS < WORK_MS) {
      this.timeline.after(WAIT_MS, () => void this.lie(node, { lie, seed }));
      return;
    }
    const asked =
      lie === "private-gimme"
        ? (this.nodes.find((one) => one.isUp && privateHoldings(one.repo).length > 0) ?? node)
        : node;
    await asked
      .endpoint()
      ?.serve(letter)
      .catch(() => {});
  }

  /** Ends all trouble and waits until all agree. */
  private async makePeace(): Promise<number> {
    this.network.heal(FAULTS.calm);
    for (const node of this.nodes) {
      node.diskPagesLeft = undefined;
      this.startNode(node);
    }
    this.trace("peace");
    for (const node of this.nodes) {
      this.grant(node, PEOPLE.tom);
      this.setPassword(node, true);
      if (node.isUp && this.halfShunned.delete(node.name)) this.endShunning(node);
    }
    const began = this.timeline.now;
    const { pollMs } = this.plan;
    // Over NATS one peer in turn is polled, by chance.
    const pollsMax = this.plan.ways === "nats" ? 4 * POLLS_OF_PEACE_MAX : POLLS_OF_PEACE_MAX;
    for (let polls = 0; polls <= pollsMax; polls++) {
      const problems = this.disagreements();
      if (problems.length === 0) {
        this.trace("agreed");
        const agreedAfterMs = this.timeline.now - began;
        // Syncs with nothing new must come to a good end, whatever has been lied about before.
        await this.timeline.runUntil(this.timeline.now + 1.5 * pollMs);
        for (const node of this.nodes) this.checkLastSyncs(node);
        return agreedAfterMs;
      }
      if (polls === pollsMax || this.isHopeless) {
        for (const problem of problems) this.defect(`no agreement: ${problem}`);
      } else await this.timeline.runUntil(this.timeline.now + pollMs);
    }
    return Number.POSITIVE_INFINITY;
  }

  private checkLastSyncs(node: SimulatedNode): void {
    for (const { peer, last } of node.peerStates()) {
      const code = last?.error?.code;
      if (code === "peer-unresolved" || code === "peer-never-ends") {
        this.defect(`in peace, ${node.name} ends a sync with ${peer.name} so: ${last!.error!.message}`);
      }
    }
  }

  private disagreements(): string[] {
    const down = this.nodes.filter((node) => !node.isUp);
    if (down.length > 0) return down.map(({ name }) => `${name} is down`);
    return disagreements(this.nodes.map((node) => [node.name, agreementOf(node.repo)] as const));
  }
}

/** A row as it reads when its table has got a column since. */
const withAll = (row: TableRow, { values }: TableRow): TableRow => ({
  ...row,
  values: { ...Object.fromEntries(Object.keys(values).map((name) => [name, null])), ...row.values },
});

/** Whether a letter came as it was sent. */
function isReadable({ body, contentType }: Letter): boolean {
  try {
    decodeMessage(body, contentType);
    return true;
  } catch {
    return false;
  }
}

const memoryMb = () => process.memoryUsage.rss() / 1_000_000;

const stackOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);
