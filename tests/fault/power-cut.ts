/**
 * Power cuts without a plug: a leaf takes pushes under a small preloaded library (power-cut.c) that notes its writes and
 * syncs, and kills it at one of them. The disk is then made as a cut may leave it: what was synced is there; of what was
 * not, each write is there, is not, or is there in part, by sectors. On that disk the next leaf starts.
 *
 * Held after each cut: SQLite finds the file whole; what the leaf had acknowledged is in it, with its own hash.
 *
 * Names of files (made, taken away) are taken to be on disk in their order, as journalling file systems do.
 */
import { copyFileSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { concat, text, utf8 } from "../../src/bytes.ts";
import { systemClock } from "../../src/clock.ts";
import { type Hash, hashContent, hashMatches } from "../../src/hash.ts";
import { type Random, randomBelow, seededRandom, systemRandom } from "../../src/random.ts";
import { Repo } from "../../src/repo.ts";
import { addInitialCheckIn } from "../../src/repo-checkin.ts";
import { CONTENT_TYPES } from "../../src/xfer-message.ts";
import { atEnd } from "../at-end.ts";
import { cliEnv } from "../cli-process.ts";
import { edgesyncWords } from "../interop/leaf-process.ts";
import { TempDir } from "../temp-dir.ts";

const SECTOR_BYTES = 512;
const PUSHES_MAX = 60;
const READY_MS_MAX = 60_000;
const deps = { clock: systemClock, random: systemRandom };

/** The library, or why there is none. */
export function buildShim(folder: TempDir): { readonly path: string } | { readonly missing: string } {
  if (process.platform !== "linux") return { missing: `not made for ${process.platform}` };
  const compiler = ["cc", "gcc", "clang"].find((name) => Bun.which(name) !== null);
  if (compiler === undefined) return { missing: "there is no C compiler (cc, gcc, clang)" };
  const path = folder.join("power-cut.so");
  const words = [
    compiler,
    "-shared",
    "-fPIC",
    "-O1",
    "-o",
    path,
    join(import.meta.dir, "power-cut.c"),
    "-ldl",
    "-lpthread",
  ];
  const { exitCode, stderr } = Bun.spawnSync(words, { stdout: "ignore", stderr: "pipe" });
  return exitCode === 0 ? { path } : { missing: `it cannot be built: ${text(stderr).slice(0, 500)}` };
}

/** Contents of the files of a repository, by name. */
type Disk = Map<string, Buffer>;

interface Note {
  readonly kind: "W" | "T" | "S" | "U";
  readonly name: string;
  readonly offset: number;
  readonly data: Buffer;
}

function readNotes(path: string): Note[] {
  const bytes = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
  const notes: Note[] = [];
  for (let at = 0; at + 5 <= bytes.length; ) {
    const kind = String.fromCharCode(bytes[at]!) as Note["kind"];
    const nameEnd = at + 5 + bytes.readUInt32LE(at + 1);
    const name = bytes.toString("utf8", at + 5, nameEnd);
    const offset = Number(bytes.readBigUInt64LE(nameEnd));
    const length = bytes.readUInt32LE(nameEnd + 8);
    notes.push({ kind, name, offset, data: bytes.subarray(nameEnd + 12, nameEnd + 12 + length) });
    at = nameEnd + 12 + length;
  }
  return notes;
}

/** What a cut leaves of a disk and of what was done to it since. */
export function afterCut(disk: Disk, notes: readonly Note[], random: Random): Disk {
  const left: Disk = new Map([...disk].map(([name, bytes]) => [name, Buffer.from(bytes)]));
  const lastSync = new Map<string, number>();
  notes.forEach(({ kind, name }, i) => {
    if (kind === "S") lastSync.set(name, i);
  });
  notes.forEach(({ kind, name, offset, data }, i) => {
    const isSynced = i < (lastSync.get(name) ?? -1);
    if (kind === "U") left.delete(name);
    else if (kind === "T" && (isSynced || random.float() < 0.5)) resize(left, name, offset);
    else if (kind === "W") {
      for (let from = 0; from < data.length; from += SECTOR_BYTES) {
        if (isSynced || random.float() < 0.5)
          put(left, name, offset + from, data.subarray(from, from + SECTOR_BYTES));
      }
    }
  });
  return left;
}

function resize(disk: Disk, name: string, size: number): void {
  const before = disk.get(name) ?? Buffer.alloc(0);
  const after = Buffer.alloc(size);
  before.copy(after, 0, 0, Math.min(size, before.length));
  disk.set(name, after);
}

function put(disk: Disk, name: string, offset: number, data: Buffer): void {
  const before = disk.get(name) ?? Buffer.alloc(0);
  if (before.length < offset + data.length) resize(disk, name, offset + data.length);
  data.copy(disk.get(name)!, offset);
}

export interface CutOptions {
  readonly shim: string;
  readonly seed: bigint;
  /** What starts the program; default the one under test. */
  readonly words?: readonly string[];
  /** Syncs do nothing: what must be found. */
  readonly liesAboutSync?: boolean;
}

export interface Cut {
  readonly operations: number;
  readonly acknowledged: number;
  readonly problems: readonly string[];
}

/** One repository through cut after cut. */
export class PowerCuts implements Disposable {
  private readonly folder = new TempDir("power");
  private readonly path: string;
  private readonly random: Random;
  /** What a leaf has said it has, with its content. */
  private readonly acknowledged = new Map<Hash, Uint8Array>();
  private count = 0;
  /** Operations of a run that nobody disturbs. */
  private operationsMax = 0;

  constructor(private readonly options: CutOptions) {
    this.random = seededRandom(options.seed);
    this.path = join(this.folder.folder("data"), "x.fossil");
    const repo = Repo.create(this.path, {
      ...deps,
      user: "ann",
      password: "x",
      initialize: (created) => addInitialCheckIn(created, "ann"),
    });
    repo.users.setCapabilities("nobody", "gioy");
    repo.close();
  }

  /** Runs a leaf until a cut, and looks at what is left. The first run is without one, to see how long it is. */
  async cut(): Promise<Cut> {
    const isFirst = this.operationsMax === 0;
    const at = isFirst ? 0 : 1 + randomBelow(this.random, this.operationsMax);
    const disk = this.read();
    const notesPath = this.folder.join("notes.bin");
    rmSync(notesPath, { force: true });
    const before = this.acknowledged.size;
    await this.run(
      { FAULT_CUT: String(at), ...(this.options.liesAboutSync && { FAULT_NOSYNC: "1" }) },
      notesPath,
    );
    const notes = readNotes(notesPath);
    if (isFirst) this.operationsMax = notes.length;
    else this.write(afterCut(disk, notes, this.random));
    return { operations: notes.length, acknowledged: this.acknowledged.size - before, problems: this.look() };
  }

  /** Runs a leaf whose writes and syncs fail for a while, then stops it. */
  async fail(errno: number): Promise<Cut> {
    const notesPath = this.folder.join("notes.bin");
    rmSync(notesPath, { force: true });
    const before = this.acknowledged.size;
    const at = 1 + randomBelow(this.random, Math.max(1, this.operationsMax));
    const env = {
      FAULT_FAIL: String(at),
      FAULT_COUNT: String(1 + randomBelow(this.random, 20)),
      FAULT_ERRNO: String(errno),
    };
    await this.run(env, notesPath);
    return {
      operations: readNotes(notesPath).length,
      acknowledged: this.acknowledged.size - before,
      problems: this.look(),
    };
  }

  /** Starts a leaf and pushes to it until it ends, or enough was pushed. */
  private async run(env: Record<string, string>, notesPath: string): Promise<void> {
    const words = [
      ...(this.options.words ?? edgesyncWords()),
      "leaf",
      "--repo",
      this.path,
      "--serve-http",
      "127.0.0.1:0",
    ];
    const child = Bun.spawn(words, {
      env: cliEnv({
        ...env,
        LD_PRELOAD: this.options.shim,
        FAULT_FOLDER: this.path,
        FAULT_NOTES: notesPath,
        HOME: this.folder.path,
      }),
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    atEnd(() => child.kill("SIGKILL"));
    const late = setTimeout(() => child.kill("SIGKILL"), READY_MS_MAX);
    const reader = child.stderr.getReader();
    let said = "";
    let url: string | undefined;
    while (url === undefined) {
      const { done, value } = await reader.read();
      if (value !== undefined) said += text(value);
      url = /http:\/\/127\.0\.0\.1:\d+\//.exec(said)?.[0];
      if (done) break;
    }
    if (url !== undefined) {
      void drain(reader);
      for (let i = 0; i < PUSHES_MAX && (await this.push(url)); i++);
    }
    child.kill("SIGTERM");
    await child.exited;
    clearTimeout(late);
  }

  /** @returns whether the leaf still answers */
  private async push(url: string): Promise<boolean> {
    const content = utf8(`pushed ${this.count++} ${"x".repeat(randomBelow(this.random, 3_000))}\n`);
    const hash = hashContent(content, "sha3-256");
    const body = concat([utf8(`push x ${this.projectCode}\nfile ${hash} ${content.length}\n`), content]);
    try {
      const headers = { "Content-Type": CONTENT_TYPES.raw };
      const reply = await fetch(url, { method: "POST", headers, body, keepalive: false });
      const said = await reply.text();
      if (/^# timestamp \S+ errors 0\n$/.test(said)) this.acknowledged.set(hash, content);
      return true;
    } catch {
      return false;
    }
  }

  private get projectCode(): string {
    const repo = Repo.open(this.path, { mode: "read", ...deps });
    this.code ??= repo.config.projectCode!;
    repo.close();
    return this.code;
  }
  private code: string | undefined;

  private get names(): string[] {
    return [this.path, `${this.path}-wal`, `${this.path}-journal`];
  }

  private read(): Disk {
    return new Map(this.names.filter((name) => existsSync(name)).map((name) => [name, readFileSync(name)]));
  }

  private write(disk: Disk): void {
    for (const name of [...this.names, `${this.path}-shm`]) rmSync(name, { force: true });
    for (const [name, bytes] of disk) writeFileSync(name, bytes);
    rmSync(`${this.path}.leaf.json`, { force: true });
  }

  private look(): string[] {
    const problems: string[] = [];
    try {
      const repo = Repo.open(this.path, { mode: "write", ...deps });
      try {
        const verdict = repo.db.prepare("PRAGMA integrity_check").value<string>();
        if (verdict !== "ok") problems.push(`integrity_check: ${verdict}`);
        for (const [hash] of this.acknowledged) {
          const content = repo.content.getByHash(hash);
          if (content === undefined) problems.push(`lost: ${hash}`);
          else if (!hashMatches(content, hash)) problems.push(`wrong: ${hash}`);
        }
      } finally {
        repo.close();
      }
    } catch (error) {
      problems.push(String(error));
    }
    return problems;
  }

  /** A copy of the repository as it is, and its size. */
  keep(target: string): number {
    copyFileSync(this.path, target);
    return statSync(target).size;
  }

  [Symbol.dispose](): void {
    this.folder.remove();
  }
}

async function drain(reader: { read(): Promise<{ done: boolean }> }): Promise<void> {
  while (!(await reader.read()).done);
}
