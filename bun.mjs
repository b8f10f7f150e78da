/**
 * Runs a script with the pinned Bun, from a machine that has only Node and npm:
 * `node bun.mjs SCRIPT [ARGUMENTS...]`.
 *
 * The version is package.json's `engines.bun`. A Bun of that version in node_modules or on PATH serves;
 * else npm brings it into `.cache/bun/`. Its install script is run by hand, so that it does not matter
 * whether npm runs such scripts. Then Bun installs the packages of bun.lock, when that has changed.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";

const root = import.meta.dirname ?? new URL(".", import.meta.url).pathname;
const read = (name) => readFileSync(join(root, name), "utf8");
const version = JSON.parse(read("package.json")).engines.bun;
const cache = join(root, ".cache", "bun");
const installed = (folder) => join(folder, "node_modules", "bun", "bin", "bun.exe");

/** Whether `path` is the Bun we want. */
function isPinned(path) {
  const run = spawnSync(path, ["--version"], { encoding: "utf8" });
  return run.status === 0 && run.stdout.trim() === version;
}

function findBun() {
  const name = process.platform === "win32" ? "bun.exe" : "bun";
  const onPath = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, name));
  return [installed(root), installed(cache), ...onPath].find((path) => existsSync(path) && isPinned(path));
}

function fetchBun() {
  console.error(`Getting Bun ${version} through npm ...`);
  mkdirSync(cache, { recursive: true });
  npm("install", "--prefix", cache, "--no-save", "--no-package-lock", "--ignore-scripts", `bun@${version}`);
  const folder = join(cache, "node_modules", "bun");
  spawnSync(process.execPath, ["install.js"], { cwd: folder, stdio: ["ignore", 2, 2] });
  return isPinned(installed(cache))
    ? installed(cache)
    : fail(`npm did not bring a Bun ${version} that runs here`);
}

/** npm as it was called, else the one on PATH (a shell script on Windows). */
function npm(...words) {
  const self = process.env.npm_execpath;
  const isNpm = self !== undefined && /npm-cli\.c?js$/.test(self);
  const run = isNpm
    ? spawnSync(process.execPath, [self, ...words], { stdio: ["ignore", 2, 2] })
    : spawnSync("npm", words, { stdio: ["ignore", 2, 2], shell: process.platform === "win32" });
  if (run.status !== 0) fail(`npm ${words[0]} failed`);
}

/** Installs what bun.lock names, once for each state of it. */
function installPackages(bun) {
  const stamp = join(root, "node_modules", ".installed");
  const state = createHash("sha256").update(read("package.json")).update(read("bun.lock")).digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === state) return;
  const run = spawnSync(bun, ["install", "--frozen-lockfile"], { cwd: root, stdio: ["ignore", 2, 2] });
  if (run.status !== 0) fail("the packages could not be installed");
  writeFileSync(stamp, state);
}

function fail(message) {
  console.error(`bun.mjs: ${message}`);
  process.exit(1);
}

const bun = findBun() ?? fetchBun();
installPackages(bun);
const child = spawn(bun, process.argv.slice(2), { cwd: root, stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
// npm passes signals on to a shell that does not: when our parent is gone, so is the reason to go on.
const parent = process.ppid;
setInterval(() => process.ppid === parent || child.kill("SIGTERM"), 500).unref();
child.on("exit", (code, signal) => {
  process.exitCode = code ?? (signal === "SIGINT" ? 130 : 1);
});
