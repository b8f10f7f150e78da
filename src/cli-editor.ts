/**
 * Texts that a user writes in an editor. Which: the one given, else the setting `editor`, else `VISUAL`, else `EDITOR`, else the first
 * of nano, pico, vi, vim and ed that is on PATH; `off` stands for none. But for one given, there must be a terminal to edit on.
 *
 * Lines whose first character that is no blank is `#` do not count in what was written, nor does anything from ten `#` on; neither do
 * blank lines before and after the text.
 *
 * Source: Fossil `src/util.c`, `fossil_text_editor`; `src/checkin.c`, `prompt_for_user_comment`.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { text as decode } from "./bytes.ts";
import { option, text } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { runShell } from "./cli-shell.ts";
import { isTerminal } from "./cli-terminal.ts";
import { RepoError, UsageError } from "./errors.ts";

const KNOWN_EDITORS = process.platform === "win32" ? ["notepad"] : ["nano", "pico", "vi", "vim", "ed"];
const NONE = /^(?:off|no|false|0)$/i;
const SCISSORS = "##########";

export const editorArg = option(
  {
    description: "write the message with this program; else as the setting editor or VISUAL or EDITOR says",
    valueHint: "CMD",
  },
  text,
);

/**
 * Before anything is opened: without a terminal there is no editor but one given.
 *
 * @throws UsageError `missing-argument`
 */
export function requireTerminal(given: string | undefined, what: string): void {
  if (given !== undefined || isTerminal(0)) return;
  throw new UsageError("missing-argument", what, { hint: GIVE_TEXT });
}

const GIVE_TEXT = "add -m TEXT";

/**
 * The editor to use.
 *
 * @param setting value of the setting `editor`
 * @param what is to be written, for the error: `a check-in needs a message`
 * @throws UsageError `missing-argument` when there is none, or no terminal to use it on
 */
export function requireEditor(
  given: string | undefined,
  setting: string | undefined,
  env: CliContext["env"],
  what: string,
): string {
  requireTerminal(given, what);
  if (given !== undefined) return given;
  const named = [setting, env["VISUAL"], env["EDITOR"]].find((one) => one !== undefined && one !== "");
  const editor = named ?? KNOWN_EDITORS.find((one) => Bun.which(one) !== null);
  if (editor !== undefined && !NONE.test(editor)) return editor;
  throw new UsageError("missing-argument", `${what}, and there is no editor`, {
    hint: `${GIVE_TEXT}, or say which with --editor or the setting editor`,
  });
}

/**
 * Has the user edit `start` in a file of its own, which is removed afterwards.
 *
 * @returns what was written, without what does not count
 * @throws RepoError `editor-failed`, `file-unwritable`
 */
export function editText(editor: string, start: string, path: string): string {
  try {
    writeFileSync(path, start, { flag: "wx", mode: 0o600 });
  } catch (cause) {
    const { code = "an error" } = cause as NodeJS.ErrnoException;
    throw new RepoError("file-unwritable", `${path} cannot be written (${code})`, { cause });
  }
  try {
    const status = runShell(editor, [path]);
    if (status !== 0) {
      throw new RepoError(
        "editor-failed",
        `the editor ${editor} ended with status ${status}: nothing is done`,
      );
    }
    return withoutComments(decode(readFileSync(path)));
  } finally {
    rmSync(path, { force: true });
  }
}

function withoutComments(written: string): string {
  const [kept = ""] = written.replace(/^\ufeff/, "").split(SCISSORS);
  return kept
    .replace(/\r\n?/g, "\n")
    .split("\n")
    .filter((line) => !/^\s*#/.test(line))
    .join("\n")
    .replace(/^(?:[^\S\n]*\n)+/, "")
    .trimEnd();
}
