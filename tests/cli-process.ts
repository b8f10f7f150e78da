/** Runs the command line as a user would, from source, in an environment of its own. */
import { join } from "node:path";
import { text } from "../src/bytes.ts";

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
  readonly input?: string;
}

/** Nothing of the developer's own settings reaches a test. */
export function cliEnv(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { PATH: process.env["PATH"] ?? "", USER: "dev", TZ: "UTC", ...more };
}

export function runCli(words: readonly string[], options: CliOptions = {}): CliResult {
  const child = Bun.spawnSync([process.execPath, MAIN, ...words], {
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    env: cliEnv(options.env),
    stdin: options.input === undefined ? "ignore" : Buffer.from(options.input),
    stdout: "pipe",
    stderr: "pipe",
    timeout: 60_000,
  });
  const bytes = new Uint8Array(child.stdout);
  return { code: child.exitCode ?? -1, stdout: text(bytes), stderr: text(child.stderr), bytes };
}
