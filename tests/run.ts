/**
 * `npm test`: builds the executable, gets the programs that the tests compare with (`fossil`,
 * `nats-server`) if they are missing, runs every test, or those named, and ends with a line
 * `N passed, N failed`.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dir, "..");
const PROGRAMS = ["fossil", "nats-server"];

/** Where Debian puts servers, which the PATH of a plain user may lack. */
if (process.platform === "linux") process.env["PATH"] += ":/usr/sbin";

/** Tests that run the program run the executable that was just built. */
process.env["EDGESYNC_TEST_BINARY"] ??= join(
  root,
  "dist",
  process.platform === "win32" ? "edgesync.exe" : "edgesync",
);

/** Who runs the tests is not in them: some machines have a user name to fall back on, others have none. */
for (const name of ["FOSSIL_USER", "USER", "LOGNAME", "USERNAME"]) delete process.env[name];

/** Tests that mostly wait, and the simulation: half of the whole time. They run beside the others. */
const WAITING = /(^|\/)(sim|fault)\/|iroh|mesh|nats|broker/;

async function main(): Promise<void> {
  run([process.execPath, "build.ts", "--allow-without-iroh"]);
  getPrograms();
  const folder = mkdtempSync(join(tmpdir(), "edgesync-tests-"));
  const named = process.argv.slice(2);
  const files = [...new Bun.Glob("tests/**/*.test.ts").scanSync({ cwd: root })].sort();
  const halves = [true, false].map((waits) => files.filter((file) => WAITING.test(file) === waits));
  const runs = named.length > 0 ? [named] : halves.map((half) => half.map((file) => `./${file}`));
  const results = await Promise.all(
    runs.map((words, index) => runTests(words, join(folder, `report${index}.xml`))),
  );
  rmSync(folder, { recursive: true });
  const sum = (of: "passed" | "failed") => results.reduce((total, counts) => total + counts[of], 0);
  console.log(`${sum("passed")} passed, ${sum("failed")} failed`);
  process.exitCode = sum("failed") === 0 ? 0 : 1;
}

async function runTests(words: readonly string[], report: string) {
  const options = ["--timeout=60000", "--reporter=junit", `--reporter-outfile=${report}`];
  const tests = Bun.spawn([process.execPath, "test", ...options, ...words], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
  });
  const exitCode = await tests.exited;
  const counts = readCounts(report);
  // A file that cannot be loaded fails the run without failing a test.
  return { ...counts, failed: exitCode === 0 ? counts.failed : Math.max(counts.failed, 1) };
}

function getPrograms(): void {
  const missing = () => PROGRAMS.filter((program) => Bun.which(program) === null);
  if (missing().length === 0) return;
  if (process.platform === "linux" && process.getuid?.() === 0 && Bun.which("apt-get") !== null) {
    run(["apt-get", "update", "-q"]);
    run(["apt-get", "install", "-q", "-y", "--no-install-recommends", ...missing()]);
    if (missing().length === 0) return;
  }
  const names = missing().join(" ");
  const how =
    process.platform === "darwin"
      ? `run: brew install ${names}`
      : process.platform === "win32"
        ? `install ${names} and put the folder of each on PATH`
        : `run: sudo apt-get install ${names} (or your system's equivalent)`;
  console.error(`The tests compare with ${names}, not found on PATH; ${how}`);
  process.exit(1);
}

function run(words: string[]): void {
  const { exitCode } = Bun.spawnSync(words, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  if (exitCode !== 0) process.exit(exitCode || 1);
}

function readCounts(report: string): { passed: number; failed: number } {
  // A run that died has written no report.
  if (!existsSync(report)) return { passed: 0, failed: 0 };
  const head = readFileSync(report, "utf8").slice(0, 1000);
  const count = (name: string) => Number(new RegExp(`<testsuites[^>]* ${name}="(\\d+)"`).exec(head)?.[1]);
  const failed = count("failures");
  return { passed: count("tests") - failed - count("skipped"), failed };
}

await main();
