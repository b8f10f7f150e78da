/**
 * One machine with one repository: the leaf's own agents (repositories, sync, poll), all on this thread, on
 * the simulated clock and network. A crash takes everything that was in memory; a restart opens the file again.
 */
import { EdgeSyncError } from "../../src/errors.ts";
import { type Executor, inlineExecutor } from "../../src/executor.ts";
import { createLeafJobs, type LeafJobs } from "../../src/leaf-jobs.ts";
import { LeafPoll } from "../../src/leaf-poll.ts";
import {
  type Exchange,
  HostedRepositories,
  type HostedRepository,
  type Served,
} from "../../src/leaf-repositories.ts";
import { type BeginSync, LeafSync, type PeerSyncState, type SyncOutcome } from "../../src/leaf-sync.ts";
import { createLogger, type LogFields } from "../../src/log.ts";
import type { Random } from "../../src/random.ts";
import { Repo } from "../../src/repo.ts";
import type { Credentials } from "../../src/sync-request.ts";
import { errorReply } from "../../src/sync-server.ts";
import { joinMesh, type MeshDeps, type MeshWorld, type SimulatedMesh } from "./mesh.ts";
import { Crash, MortalClock, mortalExecutor } from "./mortal.ts";
import { type Endpoint, type Letter, type Network, type Reply, SimulatedTransport } from "./network.ts";
import type { NodeClock } from "./timeline.ts";

type Thread = Executor<LeafJobs>;

/** Runs code of a machine that may die in it. */
function ignoringCrash(body: () => void): void {
  try {
    body();
  } catch (error) {
    if (!(error instanceof Crash)) throw error;
  }
}

export interface NodeOptions {
  readonly name: string;
  readonly path: string;
  readonly clock: NodeClock;
  readonly random: Random;
  readonly network: Network;
  readonly login: Credentials | undefined;
  readonly syncsPrivate: boolean;
  readonly pollMs: number;
  readonly meshPollMs: number;
  /** Others on NATS; undefined: it is not there. */
  readonly mesh: MeshWorld | undefined;
  /** Sees each exchange that this node served, with what was there before. */
  readonly onServed: (node: SimulatedNode, letter: Letter, reply: Reply, before: Stock) => void;
  readonly onOutcome: (node: SimulatedNode, outcome: SyncOutcome) => void;
  readonly onLog: (node: SimulatedNode, level: string, message: string, fields: LogFields) => void;
  readonly onDefect: (text: string) => void;
  /** Runs `body` as this node, so that fault points know whom they hit. */
  readonly within: <T>(node: SimulatedNode, body: () => T) => T;
}

/** What a request must not change without the right to. */
export interface Stock {
  readonly artifacts: number;
  readonly files: string;
  readonly settings: string;
}

/** What lives in the memory of one process. */
interface Process {
  readonly hosted: HostedRepository;
  readonly sync: LeafSync;
  readonly poll: LeafPoll;
  /** The hands of the people at this machine. */
  readonly repo: Repo;
  readonly close: () => void;
  readonly endpoint: Endpoint & { isUp: boolean; run(body: () => void): void };
  mesh: SimulatedMesh | undefined;
  /** What the file held when last looked at. */
  seen: { readonly version: string; readonly stock: Stock } | undefined;
}

export class SimulatedNode {
  readonly name: string;
  private process: Process | undefined;
  /** Gone, and their files not closed yet. */
  private readonly dead: Process[] = [];
  private readonly peers: SimulatedNode[] = [];
  /** How many more database pages this machine's disk has; undefined: enough. */
  diskPagesLeft: number | undefined;

  constructor(readonly options: NodeOptions) {
    this.name = options.name;
  }

  get isUp(): boolean {
    return this.process !== undefined;
  }

  /** @throws Error when it is down */
  get repo(): Repo {
    if (this.process === undefined) throw new Error(`${this.name} is down`);
    return this.process.repo;
  }

  endpoint(): Endpoint | undefined {
    return this.process?.endpoint;
  }

  knows(peers: readonly SimulatedNode[]): void {
    this.peers.push(...peers.filter((peer) => peer !== this));
  }

  start(): void {
    const { path, random } = this.options;
    const run = (body: () => void) => this.options.within(this, () => ignoringCrash(body));
    const endpoint = {
      name: this.name,
      isUp: true,
      run,
      serve: (letter: Letter) => this.serve(hosted, letter),
    };
    const clock = new MortalClock(this.options.clock, endpoint);
    const deps = { clock, random };
    const jobs = [createLeafJobs(deps), createLeafJobs(deps)] as const;
    const [reader, writer] = jobs.map((own) => mortalExecutor(inlineExecutor(own), endpoint)) as [
      Thread,
      Thread,
    ];
    const hosted = HostedRepositories.ofFile(path, { readers: reader, writers: [writer] }, clock).at("/");
    const manners = { unversioned: true, private: this.options.syncsPrivate };
    const log = createLogger("info", (level, message, fields) =>
      this.options.onLog(this, level, message, fields),
    );
    const begin: BeginSync = (...input) => hosted.beginSync(...input);
    const sync = new LeafSync(begin, manners, { clock, log });
    const polling = { intervalMs: this.options.pollMs, push: true, pull: true };
    const poll = new LeafPoll(sync, polling, deps);
    const repo = Repo.open(path, { mode: "write", ...deps });
    const close = () => {
      process.mesh?.letGo();
      for (const job of jobs) job.close();
      repo.close();
    };
    const process: Process = { hosted, sync, poll, repo, close, endpoint, mesh: undefined, seen: undefined };
    this.process = process;
    for (const peer of this.peers) {
      sync.add({ name: peer.name, transport: "memory", connect: () => this.connect(peer, endpoint) });
      poll.add(peer.name);
    }
    if (this.options.mesh !== undefined) this.join(process, this.options.mesh, { ...deps, log });
  }

  /** Goes among the others on NATS. What is asked for there is judged as what comes over the network. */
  private join(process: Process, world: MeshWorld, deps: MeshDeps): void {
    const { hosted, sync, endpoint } = process;
    const judged: HostedRepository = Object.create(hosted);
    judged.serve = (exchange) => this.judged(exchange, () => hosted.serve(exchange));
    judged.hand = async (exchange) => {
      const { contentType, facts, body } = await judged.serve(exchange);
      return { contentType, facts, body, release() {} };
    };
    const options = {
      pollMs: this.options.meshPollMs,
      push: true,
      pushTo: this.peers.map(({ name }) => name),
    };
    joinMesh(endpoint, { hosted, judged, sync }, world, options, deps).then(
      (mesh) => {
        process.mesh = mesh;
        if (!endpoint.isUp) mesh.letGo();
      },
      (error: unknown) => {
        // Its disk is full, or locked by a crash in the same moment: it is not on NATS until it starts again.
        if (!(error instanceof EdgeSyncError))
          this.options.onDefect(`${this.name} cannot join: ${String(error)}`);
      },
    );
  }

  private async judged(exchange: Exchange, serve: () => Promise<Served>): Promise<Served> {
    const letter = {
      contentType: exchange.contentType,
      body: exchange.body.slice() as typeof exchange.body,
      as: undefined,
      peerId: exchange.address.replace(/^nats:?/, ""),
      isHonest: true,
    };
    const before = this.stock();
    const served = await serve();
    if (this.isUp) this.options.onServed(this, letter, served, before);
    return served;
  }

  /** The process is gone from one moment to the next; whoever waits for it waits in vain. */
  crash(): void {
    this.die();
    for (const process of this.dead.splice(0)) process.close();
  }

  /** As `crash`, while its own code is still on the stack: nobody hears of it any more. */
  die(): void {
    const { process } = this;
    if (process === undefined) return;
    process.endpoint.isUp = false;
    this.options.mesh?.sockets.drop(process.endpoint);
    process.poll.stop();
    this.process = undefined;
    this.dead.push(process);
  }

  /** Syncs with somebody who is no node: `answer` makes each reply. */
  async syncWithStranger(name: string, answer: () => Promise<Reply>): Promise<SyncOutcome | undefined> {
    const { process } = this;
    if (process === undefined) return undefined;
    const transport = () => new SimulatedTransport(name, undefined, answer);
    process.sync.add({ name, transport: "memory", connect: () => ({ transport: transport() }) });
    return this.request(process, name, "asked");
  }

  /** What is known of the syncs with other nodes. */
  peerStates(): readonly Readonly<PeerSyncState>[] {
    const names = new Set(this.peers.map(({ name }) => name));
    return (this.process?.sync.peers ?? []).filter(({ peer }) => names.has(peer.name));
  }

  /** Syncs with a peer and says what came of it; `undefined` when the node is down. */
  async sync(peer: SimulatedNode, why: string): Promise<SyncOutcome | undefined> {
    const { process } = this;
    if (process?.sync.peer(peer.name) === undefined) return undefined;
    return this.request(process, peer.name, why);
  }

  private async request(process: Process, name: string, why: string): Promise<SyncOutcome> {
    const wish = { push: true, pull: true, why };
    const outcome = await this.options.within(this, () => process.sync.request(name, wish));
    if (this.process === process) this.options.onOutcome(this, outcome);
    return outcome;
  }

  /** What is there, as far as a stranger must not change it. Equal objects only while nothing was written. */
  stock(): Stock {
    const { process } = this;
    if (process === undefined) throw new Error(`${this.name} is down`);
    const { db } = process.repo;
    // Of other connections, then of this one.
    const version = `${db.dataVersion()} ${db.prepare("SELECT total_changes()").value<number>()!}`;
    if (process.seen?.version !== version) process.seen = { version, stock: this.look() };
    return process.seen.stock;
  }

  private look(): Stock {
    const { db } = this.repo;
    const line = (sql: string) => db.prepare(sql).values<(string | number | null)[]>().flat().join(" ");
    return {
      artifacts: db.prepare("SELECT count(*) FROM blob WHERE size>=0").value<number>()!,
      files: db.prepare("SELECT 1 FROM sqlite_schema WHERE name='unversioned'").value()
        ? line("SELECT name || ' ' || mtime || ' ' || coalesce(hash,'') FROM unversioned ORDER BY name")
        : "",
      settings:
        line("SELECT login || ' ' || cap || ' ' || pw FROM user ORDER BY login") +
        line("SELECT uuid FROM shun ORDER BY uuid"),
    };
  }

  private connect(peer: SimulatedNode, endpoint: Endpoint) {
    const { network, login } = this.options;
    const transport = new SimulatedTransport(peer.name, login?.user, async (letter) => {
      const reply = await network.exchange(endpoint, peer, letter);
      // Nobody is there any more to hear it.
      if (!endpoint.isUp) return new Promise<never>(() => {});
      return reply;
    });
    return { transport, login };
  }

  private async serve(hosted: HostedRepository, letter: Letter): Promise<Reply> {
    const { clock, onServed, onDefect, within } = this.options;
    const { contentType, cookie } = letter;
    const body = letter.body.slice() as typeof letter.body;
    const before = this.stock();
    let reply: Reply;
    try {
      reply = await within(this, () => hosted.serve({ contentType, cookie, address: "10.0.0.1", body }));
    } catch (error) {
      if (error instanceof Crash || !this.isUp) throw error;
      if (!(error instanceof EdgeSyncError)) onDefect(`${this.name} answers with ${String(error)}`);
      reply = errorReply(error, contentType, clock);
    }
    if (this.isUp) onServed(this, letter, reply, before);
    return reply;
  }
}
