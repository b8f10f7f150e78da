/**
 * `bun bench/startup.ts [RUNS]`: how long the executable takes to start, against a compiled hello-world
 * made with the same options. Runs alternate, so that a busy moment touches both; medians are compared.
 * Ends with exit code 1 when `--version` takes more than three times the hello-world.
 *
 * `leaf ready` starts `edgesync leaf` on a new repository and waits for its first answer on /healthz.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../tests/interop/stock.ts";
import { TempDir } from "../tests/temp-dir.ts";

const RATIO_MAX = 3;
const READY_MAX_MS = 200;

const root = join(import.meta.dir, "..");
const edgesync = join(root, "dist", process.platform === "win32" ? "edgesync.exe" : "edgesync");

async function main(): Promise<void> {
  const runCount = Number(process.argv[2] ?? 40);
  using folder = new TempDir("startup", "disk");
  const hello = await compileHello(folder.path);
  const samples = { hello: [] as number[], version: [] as number[], ready: [] as number[] };
  run([hello]);
  run([edgesync, "--version"]);
  for (let i = 0; i < runCount; i++) {
    samples.hello.push(run([hello]));
    samples.version.push(run([edgesync, "--version"]));
  }
  const repository = folder.join("bench.fossil");
  run([edgesync, "repo", "new", repository, "--user", "bench"]);
  for (let i = 0; i < Math.ceil(runCount / 4); i++) samples.ready.push(await leafReady(repository));
  const helloMs = median(samples.hello);
  const versionMs = median(samples.version);
  const readyMs = median(samples.ready);
  console.log(`compiled hello-world  ${helloMs.toFixed(1)} ms`);
  console.log(
    `edgesync --version    ${versionMs.toFixed(1)} ms, ratio ${(versionMs / helloMs).toFixed(2)} (at most ${RATIO_MAX})`,
  );
  console.log(`leaf ready            ${readyMs.toFixed(1)} ms (at most ${READY_MAX_MS})`);
  process.exitCode = versionMs / helloMs <= RATIO_MAX && readyMs <= READY_MAX_MS ? 0 : 1;
}

async function compileHello(folder: string): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const source = join(folder, "hello.ts");
  const outfile = join(folder, "hello");
  writeFileSync(source, 'console.log("hello, world");\n');
  const compile = { outfile, autoloadDotenv: false, autoloadBunfig: false };
  await Bun.build({
    entrypoints: [source],
    compile,
    target: "bun",
    format: "esm",
    splitting: true,
    bytecode: true,
  });
  return outfile;
}

/** Milliseconds from start to end of a program. */
function run(words: string[]): number {
  const startMs = performance.now();
  const { success, stderr } = Bun.spawnSync(words, { stdout: "pipe", stderr: "pipe" });
  const elapsedMs = performance.now() - startMs;
  if (!success) throw new Error(`${words.join(" ")}: ${stderr}`);
  return elapsedMs;
}

/** Milliseconds from the start of a leaf to its first answer. */
async function leafReady(repository: string): Promise<number> {
  const port = freePort();
  const startMs = performance.now();
  const leaf = Bun.spawn([edgesync, "leaf", "--repo", repository, "--serve-http", `127.0.0.1:${port}`], {
    stdio: ["ignore", "ignore", "ignore"],
  });
  try {
    for (;;) {
      const answered = await fetch(`http://127.0.0.1:${port}/healthz`).then(
        ({ ok }) => ok,
        () => false,
      );
      if (answered) return performance.now() - startMs;
      await Bun.sleep(1);
    }
  } finally {
    leaf.kill();
    await leaf.exited;
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

await main();
