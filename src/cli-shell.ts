/**
 * Commands of the user's own (editors, hooks, signers), run by the system's shell with the terminal that this program has.
 * What they print goes to standard error unless standard output is a terminal, for that carries results.
 */
import { isTerminal } from "./cli-terminal.ts";

/**
 * Runs `line`, with `words` as further arguments.
 *
 * @returns its exit status; 128 and the signal's number when one ended it
 */
export function runShell(line: string, words: readonly string[] = [], cwd?: string): number {
  const command =
    process.platform === "win32"
      ? ["cmd", "/d", "/c", [line, ...words.map((word) => `"${word}"`)].join(" ")]
      : ["/bin/sh", "-c", words.length === 0 ? line : `${line} "$@"`, "sh", ...words];
  const { exitCode, signalCode } = Bun.spawnSync(command, {
    stdin: "inherit",
    stdout: isTerminal(1) ? "inherit" : 2,
    stderr: "inherit",
    ...(cwd !== undefined && { cwd }),
  });
  return signalCode === undefined
    ? exitCode
    : 128 + (process.getBuiltinModule("node:os").constants.signals[signalCode as NodeJS.Signals] ?? 0);
}
