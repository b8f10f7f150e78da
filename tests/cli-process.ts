/** Runs the command line as a user would, in an environment of its own. */
import { join } from "node:path";
import { concat, text } from "../src/bytes.ts";
import { runCli } from "../src/cli-run.ts";

export const MAIN = join(import.meta.dir, "..", "src", "main.ts");

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly bytes: Uint8Array;
}

export interface CliOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Nothing of the developer's own settings reaches a test. */
export function cliEnv(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { PATH: process.env["PATH"] ?? "", USER: "dev", TZ: "UTC", ...more };
}

/** In this process, which is quicker. Not for what only a process has: its folder, its descriptors. */
export async function cli(
  words: readonly string[],
  options: Omit<CliOptions, "cwd"> = {},
): Promise<CliResult> {
  const stdout: Uint8Array[] = [];
  const stderr: Uint8Array[] = [];
  const code = await runCli(words, cliEnv(options.env), {
    stdout: (bytes) => stdout.push(bytes),
    stderr: (bytes) => stderr.push(bytes),
  });
  const bytes = concat(stdout);
  return { code, stdout: text(bytes), stderr: text(concat(stderr)), bytes };
}

/** In a process of its own, from source. */
export function spawnCli(words: readonly string[], options: CliOptions = {}): CliResult {
  const child = Bun.spawnSync([process.execPath, MAIN, ...words], {
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    env: cliEnv(options.env),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: 60_000,
  });
  const bytes = new Uint8Array(child.stdout);
  return { code: child.exitCode ?? -1, stdout: text(bytes), stderr: text(child.stderr), bytes };
}
