/**
 * Where a password comes from: a file, the environment, or the terminal. Never from an argument, which
 * every user of the machine can read.
 */
import { readFileSync } from "node:fs";
import { option, text } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { isTerminal } from "./cli-terminal.ts";
import { UsageError } from "./errors.ts";

export const PASSWORD_VARIABLE = "EDGESYNC_PASSWORD";

export const passwordFileArg = option(
  {
    description: `read the password from the first line of this file (else ${PASSWORD_VARIABLE})`,
    valueHint: "FILE",
  },
  text,
);

/**
 * The password from `file` (`-` is standard input) or the environment; undefined when neither is given.
 *
 * @throws UsageError `password-file`
 */
export function givenPassword(file: string | undefined, env: CliContext["env"]): string | undefined {
  if (file === undefined) return env[PASSWORD_VARIABLE];
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8").split(/\r?\n/)[0]!;
  } catch (cause) {
    throw new UsageError("password-file", `the password file ${file} cannot be read`, { cause });
  }
}

/**
 * As `givenPassword`, and asks on a terminal when nothing was given.
 *
 * @throws UsageError `password-file`, `no-password`
 */
export async function requirePassword(
  file: string | undefined,
  env: CliContext["env"],
  prompt: string,
): Promise<string> {
  const password = givenPassword(file, env) ?? (isTerminal(0) ? await askPassword(prompt) : undefined);
  if (password !== undefined && password !== "") return password;
  throw new UsageError("no-password", "no password was given", {
    hint: `use --password-file FILE or ${PASSWORD_VARIABLE}`,
  });
}

const ENTER = /[\r\n]/;
const BACKSPACE = /[\b\u007f]/;
const INTERRUPT = "\u0003";

/** Reads one line from the terminal without showing it. */
export async function askPassword(prompt: string): Promise<string> {
  const { stdin, stderr } = process;
  stderr.write(prompt);
  stdin.setRawMode(true);
  stdin.setEncoding("utf8");
  let typed = "";
  try {
    for await (const chunk of stdin) {
      for (const character of String(chunk)) {
        if (ENTER.test(character)) return typed;
        if (character === INTERRUPT) throw new UsageError("no-password", "interrupted");
        typed = BACKSPACE.test(character) ? typed.slice(0, -1) : typed + character;
      }
    }
    return typed;
  } finally {
    stdin.setRawMode(false);
    stderr.write("\n");
  }
}
