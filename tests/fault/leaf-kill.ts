/**
 * A leaf killed with SIGKILL while others push to it, over HTTP, NATS or iroh, and write unversioned files, at a moment that a
 * seed chooses; and started again. After each kill SQLite finds the file whole, and what the leaf had acknowledged is in it.
 */
import { join } from "node:path";
import { concat, text, utf8 } from "../../src/bytes.ts";
import { systemClock } from "../../src/clock.ts";
import { type Hash, hashContent, hashMatches } from "../../src/hash.ts";
import { IrohEndpoint } from "../../src/iroh-endpoint.ts";
import { silentLogger } from "../../src/log.ts";
import { ExternalLink } from "../../src/nats-link-external.ts";
import { type Random, randomBelow, seededRandom, systemRandom } from "../../src/random.ts";
import { Repo } from "../../src/repo.ts";
import { addInitialCheckIn } from "../../src/repo-checkin.ts";
import { Unversioned } from "../../src/repo-unversioned.ts";
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
  readonly problems: readonly string[];
}

/** What pushes go through, for one life of the leaf. */
interface Way {
  readonly transport: Transport;
  close(): Promise<unknown>;
}

export class LeafKills implements AsyncDisposable {
  private readonly folder = new TempDir("leaf-kill");
  private readonly path: string;
  private readonly projectCode: string;
  private readonly random: Random;
  private readonly artifacts = new Map<Hash, Uint8Array>();
  /** The newest content of each unversioned file that was acknowledged. */
  private readonly files = new Map<string, { readonly mtime: number; readonly hash: Hash }>();
  private endpoint: IrohEndpoint | undefined;
  private count = 0;

  constructor(
    private readonly wire: Wire,
    seed: bigint,
  ) {
    this.random = seededRandom(seed);
    this.path = join(this.folder.folder("data"), "x.fossil");
    const repo = Repo.create(this.path, {
      ...deps,
      user: "ann",
      password: "x",
      initialize: (created) => addInitialCheckIn(created, "ann"),
    });
    repo.users.setCapabilities("nobody", "gioy");
    this.projectCode = repo.config.projectCode!;
    repo.close();
  }

  /** One life of the leaf, and what it leaves. */
  async kill(): Promise<LeafKill> {
    const leaf = await this.start();
    const way = await this.open(leaf);
    const before = this.artifacts.size + this.files.size;
    const end = new AbortController();
    // To connect takes longer than to push: a life begins with what the leaf answers first.
    await this.push(way.transport, end.signal);
    const timer = setTimeout(() => {
      void leaf.kill();
      end.abort(new Error("killed"));
    }, this.random.float() * LIFE_MAX_MS);
    while (!end.signal.aborted && (await this.push(way.transport, end.signal)));
    clearTimeout(timer);
    await leaf.kill();
    await way.close();
    return { acknowledged: this.artifacts.size + this.files.size - before, problems: this.look() };
  }

  private async start(): Promise<DaemonProcess> {
    const words = ["leaf", "--repo", this.path];
    if (this.wire === "http") return DaemonProcess.start(...words, "--serve-http", "127.0.0.1:0");
    if (this.wire === "nats") return DaemonProcess.start(...words, "--nats-listen", "127.0.0.1:0");
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

  private async open({ addresses }: DaemonProcess): Promise<Way> {
    if (this.wire === "http") {
      const transport = new HttpTransport(new URL(addresses["http"]!), {
        clock: systemClock,
        idleTimeoutMs: 5_000,
      });
      return { transport, close: () => transport.close() };
    }
    if (this.wire === "iroh") {
      const transport = new IrohTransport({
        endpoint: this.endpoint!,
        address: addresses["irohTicket"]!,
        clock: systemClock,
      });
      return { transport, close: () => transport.close() };
    }
    const link = new ExternalLink(
      { servers: [addresses["nats"]!], connectionName: "test" },
      { clock: systemClock, random: systemRandom, log: silentLogger },
    );
    await link.connected(10_000);
    const transport = new NatsTransport({
      link,
      clock: systemClock,
      subject: syncSubject("fossil", this.projectCode),
      ownPeerId: "test",
    });
    return { transport, close: async () => Promise.all([transport.close(), link.close()]) };
  }

  /** @returns whether the leaf answered */
  private async push(transport: Transport, signal: AbortSignal): Promise<boolean> {
    const number = this.count++;
    const content = utf8(`pushed ${number} ${"x".repeat(randomBelow(this.random, 5_000))}\n`);
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
    const repo = Repo.open(this.path, { mode: "write", ...deps });
    try {
      const verdict = repo.db.prepare("PRAGMA integrity_check").value<string>();
      if (verdict !== "ok") problems.push(`integrity_check: ${verdict}`);
      for (const hash of this.artifacts.keys()) {
        const content = repo.content.getByHash(hash);
        if (content === undefined) problems.push(`lost: ${hash}`);
        else if (!hashMatches(content, hash)) problems.push(`wrong: ${hash}`);
      }
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.endpoint?.close();
    this.folder.remove();
  }
}
