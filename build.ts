/**
 * Builds the executable:
 * `bun build.ts [--target NAME]... [--all] [--allow-without-iroh | --without-iroh] [--outdir DIR]`.
 *
 * Without a target: `dist/edgesync` for this platform, run once to see that it works. With targets:
 * `dist/edgesync-NAME` each (`.exe` on Windows). The runtimes of other platforms come from the package
 * registry, through Bun; the native addons of other platforms through npm, into `.cache/addons/`.
 *
 * An addon that is missing ends the build: Bun itself would leave it out in silence. `--allow-without-iroh`
 * builds without it where it cannot be had, `--without-iroh` everywhere, and `edgesync --version` says so.
 *
 * The date built in is that of the commit, or SOURCE_DATE_EPOCH (seconds since 1970), never that of the
 * build, so that building a commit twice gives the same bytes.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import packageJson from "./package.json";

interface Target {
  readonly bun: Bun.Build.CompileTarget;
  /** npm's words for the platform. */
  readonly os: string;
  readonly cpu: string;
  readonly libc?: "glibc" | "musl";
  /** The package that holds, or would hold, iroh's addon. */
  readonly addon: string;
}

const TARGETS: Readonly<Record<string, Target>> = {
  "linux-x64": target("linux-x64", "linux", "x64", "linux-x64-gnu", "glibc"),
  "linux-x64-musl": target("linux-x64-musl", "linux", "x64", "linux-x64-musl", "musl"),
  "linux-arm64": target("linux-arm64", "linux", "arm64", "linux-arm64-gnu", "glibc"),
  "linux-arm64-musl": target("linux-arm64-musl", "linux", "arm64", "linux-arm64-musl", "musl"),
  "darwin-arm64": target("darwin-arm64", "darwin", "arm64", "darwin-arm64"),
  "darwin-x64": target("darwin-x64", "darwin", "x64", "darwin-x64"),
  "windows-x64": target("windows-x64", "win32", "x64", "win32-x64-msvc"),
};

function target(name: string, os: string, cpu: string, addon: string, libc?: "glibc" | "musl"): Target {
  const bun = `bun-${name}` as Bun.Build.CompileTarget;
  return { bun, os, cpu, addon: `@number0/iroh-${addon}`, ...(libc && { libc }) };
}

interface Options {
  readonly targets: readonly string[];
  readonly iroh: "required" | "where it can be had" | "none";
  readonly outdir: string;
}

const root = import.meta.dir;
const irohVersion = packageJson.dependencies["@number0/iroh"];

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  const here = hostTarget();
  mkdirSync(options.outdir, { recursive: true });
  if (options.targets.length === 0) {
    const outfile = join(options.outdir, here.startsWith("windows") ? "edgesync.exe" : "edgesync");
    const iroh = await compile(here, outfile, options);
    smoke(outfile, iroh);
    return;
  }
  for (const name of options.targets) {
    const outfile = join(options.outdir, `edgesync-${name}${name.startsWith("windows") ? ".exe" : ""}`);
    const iroh = await compile(name, outfile, options);
    if (name === here) smoke(outfile, iroh);
  }
}

function readOptions(words: readonly string[]): Options {
  const targets: string[] = [];
  let iroh: Options["iroh"] = "required";
  let outdir = join(root, "dist");
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (word === "--target") targets.push(...(words[++i] ?? "").split(","));
    else if (word === "--all") targets.push(...Object.keys(TARGETS));
    else if (word === "--without-iroh") iroh = "none";
    else if (word === "--allow-without-iroh") iroh = "where it can be had";
    else if (word === "--outdir") outdir = words[++i] ?? outdir;
    else fail(`unknown option ${word}`);
  }
  const unknown = targets.find((name) => !Object.hasOwn(TARGETS, name));
  if (unknown !== undefined) {
    fail(`unknown target "${unknown}"; known: ${Object.keys(TARGETS).join(", ")}`);
  }
  return { targets, iroh, outdir };
}

/** Compiles one target; returns the version of iroh in it, or the empty string. */
async function compile(name: string, outfile: string, options: Options): Promise<string> {
  const target = TARGETS[name]!;
  const startMs = performance.now();
  const addon = options.iroh === "none" ? undefined : findAddon(name, target, options.iroh === "required");
  const iroh = addon === undefined ? "" : irohVersion;
  const result = await Bun.build({
    entrypoints: [join(root, "src", "main.ts"), ...workerFiles()],
    compile: { target: target.bun, outfile, autoloadDotenv: false, autoloadBunfig: false },
    target: "bun",
    format: "esm",
    splitting: true,
    bytecode: true,
    minify: { syntax: true, whitespace: true, identifiers: false },
    sourcemap: "none",
    define: { EDGESYNC_BUILD: JSON.stringify({ version: packageJson.version, ...commit(), iroh }) },
    plugins: addon === undefined ? [withoutAddon] : [withAddon(target.addon, addon)],
    throw: false,
  });
  if (!result.success) fail(`${name}: ${result.logs.join("\n")}`);
  const megabytes = (statSync(outfile).size / 1e6).toFixed(1);
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(
    `${outfile}: ${name}, ${megabytes} MB, ${iroh === "" ? "without iroh" : `iroh ${iroh}`}, ${seconds} s`,
  );
  return iroh;
}

/** Workers are started by URL, which the bundler does not follow: each is an entry point of its own. */
function workerFiles(): string[] {
  const src = join(root, "src");
  return readdirSync(src)
    .filter((file) => file.endsWith("-worker.ts"))
    .sort()
    .map((file) => join(src, file));
}

/** The folder of the addon, fetched when it is not there; undefined where it cannot be had and need not be. */
function findAddon(name: string, target: Target, required: boolean): string | undefined {
  const places = [join(root, "node_modules"), join(root, ".cache", "addons", "node_modules")];
  const find = () => places.map((place) => join(place, target.addon)).find((path) => existsSync(path));
  const problem = find() === undefined ? fetchAddon(target) : undefined;
  const found = find();
  if (found !== undefined) return found;
  const message = `${name}: the native addon ${target.addon}@${irohVersion} cannot be had (${problem})`;
  if (required) fail(`${message}; --allow-without-iroh builds without it`);
  console.warn(`build: ${message}: building without iroh`);
  return undefined;
}

/** Returns what went wrong, if anything did. */
function fetchAddon({ addon, os, cpu, libc }: Target): string | undefined {
  const prefix = join(root, ".cache", "addons");
  mkdirSync(prefix, { recursive: true });
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const words = [
    "install",
    "--prefix",
    prefix,
    "--no-save",
    "--no-package-lock",
    "--force",
    "--ignore-scripts",
  ];
  if (libc !== undefined) words.push(`--libc=${libc}`);
  const run = Bun.spawnSync([npm, ...words, `--os=${os}`, `--cpu=${cpu}`, `${addon}@${irohVersion}`]);
  if (run.success) return undefined;
  return /npm (?:error|ERR!) code (\S+)/.exec(run.stderr.toString())?.[1] ?? `npm ended with ${run.exitCode}`;
}

/** Answers iroh's loader, which tries the package of every platform, with the one of this target. */
function withAddon(addon: string, folder: string): Bun.BunPlugin {
  const file = readdirSync(folder).find((entry) => entry.endsWith(".node"));
  if (file === undefined) fail(`${folder} holds no addon`);
  return {
    name: "iroh-addon",
    setup(build) {
      build.onResolve({ filter: /^@number0\/iroh-/ }, ({ path }) => {
        if (path === addon) return { path: join(folder, file) };
        if (path.startsWith(`${addon}/`)) return { path: join(folder, path.slice(addon.length)) };
        return { path, external: true };
      });
    },
  };
}

/** Without iroh, importing it fails at run time, where the caller says what that means. */
const withoutAddon: Bun.BunPlugin = {
  name: "without-iroh",
  setup(build) {
    build.onResolve({ filter: /^@number0\/iroh/ }, ({ path }) => ({ path, external: true }));
  },
};

function commit(): { commit: string; date: string } {
  const git = (...words: string[]) => {
    const run = Bun.spawnSync(["git", "-C", root, ...words], { stderr: "ignore" });
    return run.success ? run.stdout.toString().trim() : "";
  };
  const hash = hasGit() ? git("rev-parse", "HEAD") : "";
  const changed = hash !== "" && git("status", "--porcelain", "--untracked-files=no") !== "";
  const epoch = process.env["SOURCE_DATE_EPOCH"] || (hash === "" ? "" : git("log", "-1", "--format=%ct"));
  if (epoch !== "" && !/^\d{1,12}$/.test(epoch))
    fail(`SOURCE_DATE_EPOCH is not a number of seconds: ${epoch}`);
  const date = epoch === "" ? "unknown" : new Date(Number(epoch) * 1000).toISOString().replace(".000", "");
  return { commit: hash === "" ? "unknown" : hash + (changed ? "+" : ""), date };
}

const hasGit = () => Bun.which("git") !== null;

/** Of the C library that this Bun runs on. */
function glibcVersion(): string | undefined {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime;
}

function hostTarget(): string {
  const os = process.platform === "win32" ? "windows" : process.platform;
  const musl = os === "linux" && glibcVersion() === undefined;
  const name = `${os}-${process.arch}${musl ? "-musl" : ""}`;
  if (!Object.hasOwn(TARGETS, name)) fail(`this platform (${name}) is no target; see --target`);
  return name;
}

/**
 * Runs what was built: it must start, say what it is made of, and load the addon it says it has. In a folder
 * of its own, for a `node_modules` nearby would lend what is missing.
 */
function smoke(outfile: string, iroh: string): void {
  const folder = mkdtempSync(join(tmpdir(), "edgesync-smoke-"));
  const run = Bun.spawnSync([resolve(outfile), "--version", "-v"], { stderr: "pipe", cwd: folder });
  rmSync(folder, { recursive: true });
  const said = run.stdout.toString();
  const addon = iroh === "" ? ["without iroh", "iroh does not load"] : [`iroh ${iroh}`, "iroh loads"];
  const expected = [`edgesync ${packageJson.version} `, `Bun ${Bun.version}`, ...addon];
  if (!run.success || !expected.every((part) => said.includes(part))) {
    fail(`${outfile} --version failed its smoke run (exit ${run.exitCode}):\n${said}${run.stderr}`);
  }
}

function fail(message: string): never {
  console.error(`build: ${message}`);
  process.exit(1);
}

await main();
