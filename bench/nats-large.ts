/**
 * A 100 MB artifact that does not compress, over NATS with max_payload 1 MB: `bun bench/nats-large.ts [--json]`. A leaf
 * is asked for it by a clone and by a pull, and is given one by a push; over its own broker and over nats-server. Peak
 * memory of either side is at most 4 times the artifact; the leaf answers /healthz meanwhile, never more than a second apart; what an idle server needs for
 * that at the same time is the machine's share.
 * Runs dist/edgesync, or the executable that EDGESYNC_TEST_BINARY names.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Report } from "./harness.ts";
import { type Measured, measureProcess, peakBytesOf } from "./measured-process.ts";

const SIZE_BYTES = 100_000_000;
const MEMORY_MAX_RATIO = 4;
const GAP_MAX_MS = 1_000;
const LOOK_EVERY_MS = 50;
const HTTP_PORT = 18_461;
const NATS_PORT = 18_462;

const program = process.env["EDGESYNC_TEST_BINARY"] ?? resolve(import.meta.dir, "../dist/edgesync");
const folder = mkdtempSync(join(tmpdir(), "nats-large-"));
const env = { ...process.env, HOME: folder, USER: "dev" };
const at = (name: string) => join(folder, name);

function run(...words: string[]): string {
  const { success, stdout, stderr } = Bun.spawnSync(words, { env, cwd: folder, stdin: "ignore" });
  if (!success) throw new Error(`${words.join(" ")}: ${stderr}${stdout}`);
  return stdout.toString();
}

/** Bytes that do not compress, another sequence for each seed. */
function writeNoise(file: string, seed: number): void {
  const words = new Uint32Array(SIZE_BYTES / 4);
  let state = seed;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  writeFileSync(file, words);
}

async function healthy(): Promise<boolean> {
  return fetch(`http://127.0.0.1:${HTTP_PORT}/healthz`).then(
    ({ ok }) => ok,
    () => false,
  );
}

/** The longest time from one answer of a server to the next, until `stop`. */
function watchAnswers(url: string): { stop(): Promise<number> } {
  let isOver = false;
  let gapMs = 0;
  const watching = (async () => {
    for (let last = performance.now(); !isOver; ) {
      await fetch(url).catch(() => undefined);
      gapMs = Math.max(gapMs, performance.now() - last);
      last = performance.now();
      await Bun.sleep(LOOK_EVERY_MS);
    }
  })();
  return {
    async stop() {
      isOver = true;
      await watching;
      return gapMs;
    },
  };
}

async function startLeaf(repository: string, words: string[]): Promise<Bun.Subprocess> {
  const leaf = Bun.spawn(
    [program, "leaf", "--repo", repository, "--serve-http", `127.0.0.1:${HTTP_PORT}`, ...words],
    { env, stdin: "ignore", stdout: "ignore", stderr: "inherit" },
  );
  while (!(await healthy())) await Bun.sleep(LOOK_EVERY_MS);
  return leaf;
}

async function startControl(): Promise<{ readonly url: string; stop(): void }> {
  const words = [process.execPath, join(import.meta.dirname, "control-server.ts")];
  const child = Bun.spawn(words, { stdin: "pipe", stdout: "pipe" });
  const { value } = await child.stdout.getReader().read();
  return { url: new TextDecoder().decode(value).trim(), stop: () => child.kill() };
}

const report = new Report("nats-large");
const control = await startControl();

async function measure(where: string, leafWords: string[]): Promise<void> {
  const report1 = async (what: string, words: string[]) => {
    const leaf = await startLeaf(at("served.fossil"), leafWords);
    const health = watchAnswers(`http://127.0.0.1:${HTTP_PORT}/healthz`);
    const idle = watchAnswers(control.url);
    let measured: Measured;
    let gapMs: number;
    let idleGapMs: number;
    let leafPeak: number;
    try {
      measured = await measureProcess([program, ...words], env);
    } finally {
      gapMs = await health.stop();
      idleGapMs = await idle.stop();
      leafPeak = peakBytesOf(leaf.pid);
      leaf.kill();
      await leaf.exited;
    }
    const name = `${what}, ${where}`;
    report.add({ name: `${name}: time`, value: measured.wallMs / 1000, unit: "s" });
    const limit = MEMORY_MAX_RATIO;
    report.add({
      name: `${name}: peak of the client`,
      value: measured.peakBytes / SIZE_BYTES,
      unit: "artifacts",
      limit,
    });
    report.add({ name: `${name}: peak of the leaf`, value: leafPeak / SIZE_BYTES, unit: "artifacts", limit });
    report.add({ name: `${name}: longest gap of the leaf`, value: gapMs, unit: "ms", limit: GAP_MAX_MS });
    report.add({ name: `${name}: the same of an idle server`, value: idleGapMs, unit: "ms" });
  };
  const code = run(
    "fossil",
    "sql",
    "-R",
    at("base.fossil"),
    "SELECT value FROM config WHERE name='project-code'",
  );
  const url = `nats://127.0.0.1:${NATS_PORT}/${code.trim().replaceAll("'", "")}`;
  const copy = (from: string, to: string) => run("cp", at(from), at(to));
  copy("full.fossil", "served.fossil");
  rmSync(at("clone.fossil"), { force: true });
  await report1("clone", ["repo", "clone", url, at("clone.fossil"), "--user", "dev"]);
  copy("base.fossil", "pulling.fossil");
  await report1("pull", ["sync", "pull", url, "--once", "-R", at("pulling.fossil")]);
  copy("full.fossil", "pushing.fossil");
  copy("base.fossil", "served.fossil");
  await report1("push", ["sync", "push", url, "--once", "-R", at("pushing.fossil")]);
  for (const name of ["clone.fossil", "pulling.fossil", "served.fossil"]) {
    const count = run("fossil", "sql", "-R", at(name), `SELECT count(*) FROM blob WHERE size=${SIZE_BYTES}`);
    if (count.trim() !== "1") throw new Error(`${name} has not got the artifact`);
  }
}

try {
  if (!existsSync(program)) throw new Error(`${program} does not exist: build it`);
  run(program, "repo", "new", at("base.fossil"), "--user", "dev");
  run("fossil", "user", "capabilities", "nobody", "gio", "-R", at("base.fossil"));
  run("cp", at("base.fossil"), at("full.fossil"));
  writeNoise(at("large.bin"), 88_172_645);
  run(program, "repo", "ci", "-R", at("full.fossil"), "-m", "large", "--user", "dev", at("large.bin"));
  await measure("own broker", ["--nats-listen", `127.0.0.1:${NATS_PORT}`, "--nats-max-payload", "1MB"]);
  const nats = Bun.spawn(["nats-server", "-a", "127.0.0.1", "-p", String(NATS_PORT)], { stderr: "ignore" });
  try {
    await measure("nats-server", ["--nats", `nats://127.0.0.1:${NATS_PORT}`]);
  } finally {
    nats.kill();
    await nats.exited;
  }
  report.finish();
} finally {
  control.stop();
  rmSync(folder, { recursive: true });
}
