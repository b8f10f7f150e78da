/**
 * Real file systems that are full or cannot be written: a few megabytes of memory, mounted for the test. Who pushes to a leaf on a full
 * one is told; what was acknowledged is there; when there is room again the leaf goes on, without a restart.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { createCipheriv } from "node:crypto";
import { copyFileSync, existsSync, readdirSync, rmSync } from "node:fs";
import { text, utf8 } from "../../src/bytes.ts";
import { systemClock } from "../../src/clock.ts";
import { sha1Hex } from "../../src/hash.ts";
import { seededRandom } from "../../src/random.ts";
import { Repo } from "../../src/repo.ts";
import { atEnd } from "../at-end.ts";
import { cliEnv } from "../cli-process.ts";
import { edgesyncWords, LeafProcess } from "../interop/leaf-process.ts";
import { newestStock } from "../interop/stock.ts";
import { TempDir } from "../temp-dir.ts";

const stock = newestStock();
const SIZE = "3m";

const mount = (...words: readonly string[]) =>
  Bun.spawnSync([...words], { stdio: ["ignore", "ignore", "pipe"] });

/** Why there can be none here; undefined: there can. */
function whyNoMounts(): string | undefined {
  if (process.platform !== "linux") return "tmpfs is of Linux";
  if (process.getuid?.() !== 0) return "mounting wants root";
  using folder = new TempDir("mount-probe");
  const { exitCode, stderr } = mount("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder.path);
  if (exitCode !== 0) return stderr.toString().trim();
  mount("umount", folder.path);
  return undefined;
}

const why = whyNoMounts();
if (why !== undefined) console.log(`skipped: tests of small and read-only file systems (${why})`);

/** A file system of its own. */
class SmallDisk implements Disposable {
  private readonly folder = new TempDir("small-disk");
  readonly path = this.folder.folder("disk");

  constructor() {
    const { exitCode, stderr } = mount("mount", "-t", "tmpfs", "-o", `size=${SIZE}`, "tmpfs", this.path);
    if (exitCode !== 0) throw new Error(`mount: ${stderr}`);
    atEnd(() => this[Symbol.dispose]());
  }

  /** Takes all the room there is. */
  fill(): void {
    const { exitCode } = Bun.spawnSync(["dd", "if=/dev/zero", `of=${this.path}/filler`, "bs=4096"], {
      stdio: ["ignore", "ignore", "ignore"],
    });
    expect(exitCode).not.toBe(0);
  }

  free(): void {
    rmSync(`${this.path}/filler`);
  }

  makeReadOnly(): void {
    const { exitCode, stderr } = mount("mount", "-o", "remount,ro", this.path);
    if (exitCode !== 0) throw new Error(`mount: ${stderr}`);
  }

  [Symbol.dispose](): void {
    mount("umount", "-l", this.path);
    this.folder.remove();
  }
}

describe.skipIf(why !== undefined)("a file system", () => {
  let project: string;
  let temp: TempDir;

  const make = async (): Promise<string> => {
    temp = new TempDir("file-systems");
    const file = temp.join("made.fossil");
    await stock.ok(["new", file, "--admin-user", "ann"]);
    await stock.ok(["user", "capabilities", "nobody", "gio", "-R", file]);
    project = (await stock.ok(["sql", "-R", file, "SELECT value FROM config WHERE name='project-code'"]))
      .replaceAll("'", "")
      .trim();
    return file;
  };

  afterEach(() => temp.remove());

  /** @returns what the leaf says, and the hash of what was pushed */
  async function push(leaf: LeafProcess, number: number, bytes: number): Promise<[string, string]> {
    const content = utf8(`${number} ${sha1Hex(utf8(`${number}`))}`.padEnd(bytes, `${number} `));
    const hash = sha1Hex(content);
    const body = Buffer.concat([
      utf8(`push ${sha1Hex(utf8("x"))} ${project}\nfile ${hash} ${content.length}\n`),
      content,
    ]);
    const headers = { "Content-Type": "application/x-fossil-debug" };
    const response = await fetch(leaf.url, { method: "POST", body, headers });
    return [text(new Uint8Array(await response.arrayBuffer())), hash];
  }

  const here = async (file: string) =>
    new Set(
      (await stock.ok(["sql", "-R", file, "SELECT uuid FROM blob WHERE size>=0"])).match(/[0-9a-f]{40,64}/g),
    );

  test("that is full: pushes are told so, nothing acknowledged is lost, and with room it goes on", async () => {
    const made = await make();
    using disk = new SmallDisk();
    const file = `${disk.path}/a.fossil`;
    copyFileSync(made, file);
    const acknowledged: string[] = [];
    let number = 0;
    {
      await using leaf = await LeafProcess.start(file);
      const attempt = async (bytes: number): Promise<boolean> => {
        const [said, hash] = await push(leaf, number++, bytes);
        if (!/^error /m.test(said)) acknowledged.push(hash);
        else expect(said).toContain("the\\sserver's\\sdisk\\sis\\sfull;\\snothing\\swas\\sstored");
        return !/^error /m.test(said);
      };
      expect(await attempt(5_000)).toBe(true);
      disk.fill();
      let refused = 0;
      for (let i = 0; i < 40; i++) if (!(await attempt(60_000))) refused++;
      expect(refused).toBeGreaterThan(0);
      expect((await fetch(`${leaf.url}/healthz`)).status).toBe(200);
      disk.free();
      for (let i = 0; i < 3; i++) expect(await attempt(5_000)).toBe(true);
    }
    const artifacts = await here(file);
    for (const hash of acknowledged) expect(artifacts).toContain(hash);
    expect(await stock.ok(["test-integrity", "-R", file])).toMatch(/\b0 errors/);
  }, 60_000);

  test("that is full: a clone is told so and leaves no file under its name", async () => {
    const made = await make();
    // Content that does not pack: larger than the room there is.
    const key = Buffer.alloc(16);
    const noise = createCipheriv("aes-128-ctr", key, key).update(Buffer.alloc(3_500_000));
    await stock.ok(["wiki", "create", "Noise", "-", "-R", made, "--user", "ann"], {
      input: noise.toString("base64"),
    });
    await using leaf = await LeafProcess.start(made);
    using disk = new SmallDisk();
    const target = `${disk.path}/clone.fossil`;
    const child = Bun.spawn([...edgesyncWords(), "repo", "clone", leaf.url, target], {
      stdio: ["ignore", "ignore", "pipe"],
      env: cliEnv(),
    });
    const said = await new Response(child.stderr).text();
    expect(await child.exited).toBe(1);
    expect(said).toContain("disk is full");
    expect(existsSync(target)).toBe(false);
  }, 60_000);

  test("that is full before they begin: a leaf serves, a clone and a backup name the file and leave nothing", async () => {
    const made = await make();
    using disk = new SmallDisk();
    const file = `${disk.path}/a.fossil`;
    copyFileSync(made, file);
    // The files beside it are there: without them SQLite cannot even read on a full disk.
    const held = Repo.open(file, { mode: "write", clock: systemClock, random: seededRandom(1n) });
    using _ = { [Symbol.dispose]: () => held.close() };
    held.config.set("project-name", "Full");
    disk.fill();
    await using leaf = await LeafProcess.start(file);
    expect(leaf.stderr).toContain("no control file");
    await stock.ok(["clone", leaf.url, temp.join("clone.fossil"), "--no-open"]);
    const before = readdirSync(disk.path);
    for (const words of [
      ["repo", "clone", leaf.url, `${disk.path}/copy.fossil`],
      ["repo", "backup", `${disk.path}/copy.fossil`, "-R", made],
    ]) {
      const { exitCode, stderr } = Bun.spawnSync([...edgesyncWords(), ...words], { env: cliEnv() });
      expect([exitCode, `${stderr}`]).toEqual([
        1,
        expect.stringContaining("/copy.fossil cannot be made: the disk is full\n"),
      ]);
      expect(readdirSync(disk.path)).toEqual(before);
    }
  }, 60_000);

  test("that is read-only: it is served, and pushes are told that nothing can be written", async () => {
    const made = await make();
    using disk = new SmallDisk();
    const file = `${disk.path}/a.fossil`;
    copyFileSync(made, file);
    disk.makeReadOnly();
    const before = await here(made);
    await using leaf = await LeafProcess.start(file);
    const [said] = await push(leaf, 1, 1_000);
    expect(said).toMatch(/^error .*cannot\\sbe\\swritten/m);
    const clone = temp.join("clone.fossil");
    await stock.ok(["clone", leaf.url, clone, "--no-open"]);
    expect(await here(clone)).toEqual(before);
  }, 60_000);
});
