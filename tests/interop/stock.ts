/**
 * The oracle: real `fossil` binaries. Finds them, runs them in a clean environment, serves repositories
 * with them.
 *
 * Which binaries: the first `fossil` on PATH, then those listed in EDGESYNC_TEST_FOSSIL (paths separated
 * by ":"). None at all is an error that says how to get one: a suite without its oracle must not pass.
 *
 * Environment of every child: USER/LOGNAME/FOSSIL_USER (stock refuses to run without a user), HOME and
 * FOSSIL_HOME a temporary folder (so that nobody's ~/.fossil is read or written), TZ=UTC, LC_ALL=C.UTF-8,
 * no proxy, no pager, no editor. Standard input is empty unless given.
 *
 * `run` is asynchronous so that a server in the test's own process goes on answering; `runSync` is for
 * commands that need no such server. Exit status is not enough (fossil-facts G18): look at the output.
 */
import { realpathSync, statSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { delimiter } from "node:path";
import type { Subprocess, SyncSubprocess } from "bun";
import { text } from "../../src/bytes.ts";
import { atEnd } from "../at-end.ts";
import { TempDir } from "../temp-dir.ts";

const RUN_MS_MAX = 120_000;
const READY_MS_MAX = 15_000;
const PORT_TRIES = 8;

let home: TempDir | undefined;

/** The environment of a stock process that acts as `user`. */
export function stockEnv(user = "dev"): Record<string, string> {
  home ??= new TempDir("home");
  const folder = home.path;
  return {
    PATH: process.env.PATH ?? "/usr/bin:/bin",
    TMPDIR: tmpdir(),
    HOME: folder,
    FOSSIL_HOME: folder,
    USER: user,
    LOGNAME: user,
    FOSSIL_USER: user,
    TZ: "UTC",
    LC_ALL: "C.UTF-8",
    NO_COLOR: "1",
    EDITOR: "true",
    VISUAL: "true",
  };
}

export interface RunOptions {
  readonly cwd?: string;
  readonly input?: string | Uint8Array;
  /** Login name the command acts as; `dev` by default. */
  readonly user?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The command is killed and the run fails after this long. */
  readonly timeoutMs?: number;
}

export interface RunResult {
  /** Exit status, or 128 + signal number. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output as it came, for binary content. */
  readonly bytes: Uint8Array;
}

/** A stock command that failed where it had to succeed. */
export class StockError extends Error {
  override name = "StockError";
}

export interface ServeOptions {
  readonly user?: string;
  /** More options of `fossil server`, for example `--localauth`. */
  readonly args?: readonly string[];
}

export class Stock {
  private constructor(
    readonly path: string,
    /** As printed, for example `2.21`. */
    readonly version: string,
    private readonly number: readonly [major: number, minor: number],
  ) {}

  /** @throws StockError if `path` is not a Fossil executable */
  static at(path: string): Stock {
    const probe = Bun.spawnSync([path, "version"], { env: stockEnv(), stdin: "ignore" });
    const match = /This is fossil version ((\d+)\.(\d+)\S*)/.exec(text(probe.stdout));
    if (match === null) throw new StockError(`${path} is not a fossil executable: "${text(probe.stdout)}"`);
    return new Stock(path, match[1]!, [Number(match[2]), Number(match[3])]);
  }

  atLeast(major: number, minor: number): boolean {
    const [ownMajor, ownMinor] = this.number;
    return ownMajor > major || (ownMajor === major && ownMinor >= minor);
  }

  /** Starts a command and returns its process, for streaming its input or measuring it. */
  spawn(
    args: readonly string[],
    options: RunOptions & { readonly stdin?: "pipe" | "ignore" } = {},
  ): Subprocess<"pipe" | "ignore", "pipe", "pipe"> {
    return Bun.spawn([this.path, ...args], {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { ...stockEnv(options.user), ...options.env },
      stdin: options.stdin ?? "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
  }

  /** Runs a command to its end, whatever its status. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    const child = this.spawn(args, { ...options, stdin: options.input === undefined ? "ignore" : "pipe" });
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, options.timeoutMs ?? RUN_MS_MAX);
    try {
      const output = Promise.all([
        new Response(child.stdout).arrayBuffer(),
        new Response(child.stderr).text(),
      ]);
      if (options.input !== undefined && typeof child.stdin === "object") {
        child.stdin.write(options.input);
        await child.stdin.end();
      }
      const [stdout, stderr] = await output;
      await child.exited;
      if (late) throw new StockError(`${this.describe(args)} did not end in time: ${stderr}`);
      const bytes = new Uint8Array(stdout);
      return { code: statusOf(child), stdout: text(bytes), stderr, bytes };
    } finally {
      clearTimeout(timer);
    }
  }

  /** Runs a command that must exit with 0. Returns its standard output. */
  async ok(args: readonly string[], options: RunOptions = {}): Promise<string> {
    return this.succeeded(args, await this.run(args, options)).stdout;
  }

  /** As `run`, blocking. Never against a server in this process. */
  runSync(args: readonly string[], options: RunOptions = {}): RunResult {
    const { input } = options;
    const child = Bun.spawnSync([this.path, ...args], {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { ...stockEnv(options.user), ...options.env },
      stdin: input === undefined ? "ignore" : typeof input === "string" ? Buffer.from(input) : input,
      stdout: "pipe",
      stderr: "pipe",
      timeout: options.timeoutMs ?? RUN_MS_MAX,
    });
    const bytes = new Uint8Array(child.stdout);
    return { code: statusOf(child), stdout: text(bytes), stderr: text(child.stderr), bytes };
  }

  /** As `ok`, blocking. */
  okSync(args: readonly string[], options: RunOptions = {}): string {
    return this.succeeded(args, this.runSync(args, options)).stdout;
  }

  /**
   * Serves a repository (or a folder of them) with `fossil server` on a free port of 127.0.0.1.
   * Returns once it answers. Sets `backoffice-disable` in the repository.
   */
  async serve(repository: string, options: ServeOptions = {}): Promise<StockServer> {
    await this.disableBackoffice(repository);
    for (let attempt = 0; attempt < PORT_TRIES; attempt++) {
      const port = freePort();
      // --nojail: as root, stock would change its root folder and lose the temporary files.
      const args = ["server", "--localhost", "--nojail", "-P", String(port), ...(options.args ?? [])];
      const child = this.spawn([...args, repository], {
        ...(options.user === undefined ? {} : { user: options.user }),
      });
      const server = new StockServer(port, child);
      if (await server.ready()) return server;
      await server.stop();
    }
    throw new StockError(`fossil server of ${repository} found no free port in ${PORT_TRIES} attempts`);
  }

  /** Else each sync leaves a process that lingers for a minute. A folder is left as it is. */
  private async disableBackoffice(repository: string): Promise<void> {
    if (!statSync(repository).isFile()) return;
    await this.ok(["settings", "backoffice-disable", "1", "-R", repository]);
  }

  private succeeded(args: readonly string[], result: RunResult): RunResult {
    if (result.code === 0) return result;
    throw new StockError(
      `${this.describe(args)} ended with ${result.code}\n${result.stdout}\n${result.stderr}`.trimEnd(),
    );
  }

  private describe(args: readonly string[]): string {
    return `fossil ${this.version} ${args.join(" ")}`;
  }
}

/** A running `fossil server`. Stopped by its process id, by `stop()` or `await using`. */
export class StockServer {
  readonly url: string;
  /** What the server wrote to standard error so far. */
  stderr = "";
  private readonly drained: Promise<void>;

  constructor(
    readonly port: number,
    private readonly child: Subprocess<"pipe" | "ignore", "pipe", "pipe">,
  ) {
    this.url = `http://127.0.0.1:${port}`;
    this.drained = this.drain();
    atEnd(() => child.kill("SIGTERM"));
  }

  get pid(): number {
    return this.child.pid;
  }

  /** The server's URL with a login in it. */
  urlAs(login: string, password: string): string {
    return `http://${encodeURIComponent(login)}:${encodeURIComponent(password)}@127.0.0.1:${this.port}`;
  }

  /** Resolves to whether the server answers; `false` when it ended, say because the port was taken. */
  async ready(): Promise<boolean> {
    const until = performance.now() + READY_MS_MAX;
    while (performance.now() < until) {
      if (this.child.exitCode !== null || this.child.signalCode !== null) return false;
      try {
        const answer = await fetch(`${this.url}/style.css`, { redirect: "manual", keepalive: false });
        await answer.arrayBuffer();
        return true;
      } catch {
        await Bun.sleep(10);
      }
    }
    throw new StockError(`fossil server did not answer at ${this.url}: ${this.stderr}`);
  }

  async stop(): Promise<void> {
    this.child.kill("SIGTERM");
    await this.child.exited;
    await this.drained;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  private async drain(): Promise<void> {
    const errors = (async () => {
      for await (const chunk of this.child.stderr) this.stderr += text(chunk);
    })();
    for await (const _ of this.child.stdout) {
      // "Listening …": only kept from filling the pipe.
    }
    await errors;
  }
}

/** A TCP port of 127.0.0.1 that nobody listens on at the moment. */
export function freePort(): number {
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = probe;
  probe.stop(true);
  return port;
}

function statusOf(child: Subprocess | SyncSubprocess): number {
  const signal = child.signalCode as NodeJS.Signals | null | undefined;
  return signal ? 128 + constants.signals[signal] : (child.exitCode ?? -1);
}

const HOW_TO_INSTALL =
  "no fossil executable found: install it (Debian, Ubuntu: apt-get install fossil; macOS: brew install fossil; " +
  "elsewhere: https://fossil-scm.org/home/uv/download.html) or list paths in EDGESYNC_TEST_FOSSIL, separated by ':'";

let found: readonly Stock[] | undefined;

/**
 * Every stock version at hand, each executable once.
 *
 * @throws StockError if there is none, or if a listed path is not a Fossil executable
 */
export function stocks(): readonly Stock[] {
  if (found !== undefined) return found;
  const onPath = Bun.which("fossil");
  const listed = (process.env.EDGESYNC_TEST_FOSSIL ?? "").split(delimiter).filter((path) => path !== "");
  const paths = onPath === null ? listed : [onPath, ...listed];
  if (paths.length === 0) throw new StockError(HOW_TO_INSTALL);
  const unique = new Map(paths.map((path) => [realpathSync(path), path]));
  found = [...unique.values()].map((path) => Stock.at(path));
  return found;
}

/** The newest stock version at hand. */
export function newestStock(): Stock {
  return stocks().reduce((best, next) => {
    const [major, minor] = best.version.split(".").map(Number);
    return next.atLeast(major!, minor!) ? next : best;
  });
}
