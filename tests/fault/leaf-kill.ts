/**
 * A leaf killed with SIGKILL while others push wiki pages and files to it over HTTP, NATS or iroh, write unversioned files and
 * clone it over the same wire, and hear on NATS what it announces; at a moment that a seed chooses; and started again. After
 * each kill SQLite finds the file whole, and what the leaf had acknowledged or announced is in it. A clone that a kill breaks
 * off is gone on with from the next leaf, and has all that was acknowledged before it began.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { parseAnnouncement } from "../../src/announcement.ts";
import { formatArtifact } from "../../src/artifact-format.ts";
import { concat, text, utf8 } from "../../src/bytes.ts";
import { systemClock } from "../../src/clock.ts";
import { EdgeSyncError } from "../../src/errors.ts";
import { type Hash, hashContent, hashMatches } from "../../src/hash.ts";
import { IrohEndpoint } from "../../src/iroh-endpoint.ts";
import { silentLogger } from "../../src/log.ts";
import { ExternalLink } from "../../src/nats-link-external.ts";
import { type Random, randomBelow, seededRandom, systemRandom } from "../../src/random.ts";
import { Repo } from "../../src/repo.ts";
import { addInitialCheckIn } from "../../src/repo-checkin.ts";
import { Unversioned } from "../../src/repo-unversioned.ts";
import { cloneRepository, inlineCloneThreads } from "../../src/sync-clone.ts";
import type { Transport } from "../../src/transport.ts";
import { HttpTransport } from "../../src/transport-http.ts";
import { IrohTransport } from "../../src/transport-iroh.ts";
import { NatsTransport, syncSubject } from "../../src/transport-nats.ts";
import { DaemonProcess } from "../interop/daemon-process.ts";
import { TempDir } from "../temp-dir.ts";

export const WIRES = ["http", "nats", "iroh"] as const;
export type Wire = (typeof WIRES)[number];

/** A kill falls within this time after the leaf's first answer. */
const LIFE_MAX_MS = 400;
const deps = { clock: systemClock, random: systemRandom };

export interface LeafKill {
  /** Pushes acknowledged between the start and the kill. */
  readonly acknowledged: number;
  /** Clones that came to their end, and how many of these had been broken off by kills. */
  readonly clones: number;
  readonly resumed: number;
  /** Artifacts that were announced. */
  readonly announced: number;
  readonly problems: readonly string[];
}

/** What pushes and clones go through, for one life of the leaf. */
interface Way {
  connect(): Transport;
}

export class LeafKills implements AsyncDisposable {
  private readonly folder = new TempDir("leaf-kill");
  private readonly path: string;
  private readonly projectCode: string;
  private readonly random: Random;
  private readonly artifacts = new Map<Hash, Uint8Array>();
  /** The newest content of each unversioned file that was acknowledged. */
  private readonly files = new Map<string, { readonly mtime: number; readonly hash: Hash }>();
  private readonly announced = new Set<Hash>();
  private endpoint: IrohEndpoint | undefined;
  private count = 0;
  private readonly clonePath: string;
  /** What the clone that is under way must have; undefined: none is. */
  private cloneMust: readonly Hash[] | undefined;
  private clones = 0;
  private resumed = 0;
  private readonly cloneProblems: string[] = [];

  constructor(
    private readonly wire: Wire,
    seed: bigint,
  ) {
    this.random = seededRandom(seed);
    this.path = join(this.folder.folder("data"), "x.fossil");
    this.clonePath = join(this.folder.folder("clone"), "c.fossil");
    const repo = Repo.create(this.path, {
      ...deps,
      user: "ann",
      password: "x",
      initialize: (created) => addInitialCheckIn(created, "ann"),
    });
    repo.users.setCapabilities("nobody", "gfioy");
    this.projectCode = repo.config.projectCode!;
    repo.close();
  }

  /** One life of the leaf, and what it leaves. */
  async kill(): Promise<LeafKill> {
    const leaf = await this.start();
    const link = await this.listen(leaf);
    const way = this.open(leaf, link);
    const transport = way.connect();
    const before = this.artifacts.size + this.files.size;
    const [clones, resumed, announced] = [this.clones, this.resumed, this.announced.size];
    const end = new AbortController();
    // To connect takes longer than to push: a life begins with what the leaf answers first.
    await this.push(transport, end.signal);
    const cloning = this.clone(way, end.signal);
    const timer = setTimeout(() => {
      void leaf.kill();
      end.abort(new Error("killed"));
    }, this.random.float() * LIFE_MAX_MS);
    while (!end.signal.aborted && (await this.push(transport, end.signal)));
    clearTimeout(timer);
    await leaf.kill();
    end.abort(new Error("killed"));
    await cloning;
    await transport.close();
    await link.close();
    return {
      acknowledged: this.artifacts.size + this.files.size - before,
      clones: this.clones - clones,
      resumed: this.resumed - resumed,
      announced: this.announced.size - announced,
      problems: [...this.look(), ...this.cloneProblems.splice(0)],
    };
  }

  private async start(): Promise<DaemonProcess> {
    const words = ["leaf", "--repo", this.path, "--nats-listen", "127.0.0.1:0"];
    if (this.wire === "http") return DaemonProcess.start(...words, "--serve-http", "127.0.0.1:0");
    if (this.wire === "nats") return DaemonProcess.start(...words);
    // Another for each life: one that was connected to the leaf before finds out later that it is gone.
    await this.endpoint?.close();
    this.endpoint = await IrohEndpoint.start(
      { secretKey: systemRandom.bytes(32), relay: "disabled", host: "127.0.0.1" },
      { clock: systemClock, log: silentLogger },
    );
    return DaemonProcess.start(
      ...words,
      "--iroh",
      "--iroh-relay",
      "disabled",
      "--iroh-allow",
      this.endpoint.id,
    );
  }

  /** Hears what the leaf announces. */
  private async listen({ addresses }: DaemonProcess): Promise<ExternalLink> {
    const link = new ExternalLink(
      { servers: [addresses["nats"]!], connectionName: "test" },
      { clock: systemClock, random: systemRandom, log: silentLogger },
    );
    await link.connected(10_000);
    link.subscribe(`fossil.${this.projectCode}.commit`, ({ payload }) => {
      const { uuid, artifacts } = parseAnnouncement(payload);
      for (const hash of [uuid, ...artifacts]) this.announced.add(hash);
    });
    return link;
  }

  private open({ addresses }: DaemonProcess, link: ExternalLink): Way {
    const clock = systemClock;
    if (this.wire === "http") {
      return {
        connect: () => new HttpTransport(new URL(addresses["http"]!), { clock, idleTimeoutMs: 5_000 }),
      };
    }
    if (this.wire === "iroh") {
      const address = addresses["irohTicket"]!;
      return { connect: () => new IrohTransport({ endpoint: this.endpoint!, address, clock }) };
    }
    const subject = syncSubject("fossil", this.projectCode);
    return { connect: () => new NatsTransport({ link, clock, subject, ownPeerId: "test" }) };
  }

  /** Clones for as long as the leaf lives. */
  private async clone(way: Way, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.cloneMust ??= [...this.artifacts.keys()];
      const must = this.cloneMust;
      const transport = way.connect();
      try {
        const options = { target: this.clonePath, source: "http://leaf/", user: "ann", version: "test" };
        const { isResumed, refused } = await cloneRepository(
          transport,
          { ...options, random: systemRandom, signal },
          inlineCloneThreads(deps),
        );
        this.clones++;
        if (isResumed) this.resumed++;
        for (const { hash } of refused) this.cloneProblems.push(`a clone was sent a wrong ${hash}`);
        this.lookAt(this.clonePath, must, this.cloneProblems, "a clone");
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof EdgeSyncError)) throw error;
        // The leaf has died, and it is not known here yet.
        await Bun.sleep(5);
        continue;
      } finally {
        await transport.close();
      }
      this.cloneMust = undefined;
      for (const suffix of ["", "-wal", "-shm"]) rmSync(this.clonePath + suffix, { force: true });
    }
  }

  /** @returns whether the leaf answered */
  private async push(transport: Transport, signal: AbortSignal): Promise<boolean> {
    const number = this.count++;
    const body = utf8(`pushed ${number} ${"x".repeat(randomBelow(this.random, 5_000))}\n`);
    // Pages are announced, for they are on the timeline; plain content is not.
    const isPage = number % 4 === 1;
    const content = isPage ? pageOf(number, body) : body;
    const hash = hashContent(content, "sha3-256");
    const isFile = number % 4 === 3;
    const name = `f${number % 7}`;
    const head = isFile
      ? `pragma uv-hash x\nuvfile ${name} ${1_700_000_000 + number} ${hash} ${content.length} 0\n`
      : `push x ${this.projectCode}\nfile ${hash} ${content.length}\n`;
    try {
      const { message } = await transport.exchange(concat([utf8(head), content]), { signal });
      const said = text(message);
      if (/^error /m.test(said)) throw new Error(`refused: ${said}`);
      if (isFile) this.files.set(name, { mtime: 1_700_000_000 + number, hash });
      else this.artifacts.set(hash, content);
      return true;
    } catch (error) {
      if (error instanceof Error && error.message.startsWith("refused")) throw error;
      return false;
    }
  }

  private look(): string[] {
    const problems: string[] = [];
    this.lookAt(this.path, [...this.artifacts.keys(), ...this.announced], problems, "the leaf");
    const repo = Repo.open(this.path, { mode: "read", ...deps });
    try {
      const here = new Map(new Unversioned(repo).entries().map((entry) => [entry.name, entry]));
      for (const [name, { mtime }] of this.files) {
        const entry = here.get(name);
        if (entry === undefined || entry.mtime < mtime) problems.push(`lost: the unversioned file ${name}`);
      }
    } finally {
      repo.close();
    }
    return problems;
  }

  /** Whether a file is whole and has what it must have. */
  private lookAt(path: string, must: readonly Hash[], problems: string[], who: string): void {
    const repo = Repo.open(path, { mode: "write", ...deps });
    try {
      const verdict = repo.db.prepare("PRAGMA integrity_check").value<string>();
      if (verdict !== "ok") problems.push(`integrity_check of ${who}: ${verdict}`);
      for (const hash of must) {
        const content = repo.content.getByHash(hash);
        if (content === undefined) problems.push(`${who} lacks ${hash}`);
        else if (!hashMatches(content, hash)) problems.push(`${who} has wrong content of ${hash}`);
      }
    } finally {
      repo.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.endpoint?.close();
    this.folder.remove();
  }
}

/** An edit of a wiki page. */
function pageOf(number: number, body: Uint8Array): Uint8Array {
  const date = 1_700_000_000_000 + 1_000 * number;
  return formatArtifact({ type: "wiki", date, title: `Page ${number % 9}`, parents: [], user: "ann", body });
}
