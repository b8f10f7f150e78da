/**
 * Hooks that stock runs before a commit: objects of type `before-commit` in the JSON array that is the setting `hooks`, in order of
 * their `seq`. The first that fails stops the commit. In a command `%R` is the repository, `%A` a file that tells of the commit, and
 * `%F` the `fossil` on PATH, else this program.
 *
 * That file has lines `checkout`, `repository`, `user`, `branch` and `tags` with their values, the changes as `status` shows them,
 * and after a line `checkin-comment` the message. It is removed afterwards.
 *
 * Hooks of type `after-receive` are for whatever serves the repository, and are not run by this program.
 *
 * Source: Fossil `src/hook.c`; `src/checkin.c`, `prepare_commit_description_file`.
 */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runShell } from "./cli-shell.ts";
import { RepoError } from "./errors.ts";
import { type Random, randomHex } from "./random.ts";
import type { Repo } from "./repo.ts";

/**
 * Runs them, if there are any.
 *
 * @param description makes the text of the file that tells of the commit
 * @throws RepoError `hook-failed`, `hooks-unreadable`
 */
export function runBeforeCommit(repo: Repo, root: string, random: Random, description: () => string): void {
  const commands = beforeCommitHooks(repo);
  if (commands.length === 0) return;
  const file = join(root, `commit-description-${randomHex(random, 8)}.txt`);
  writeFileSync(file, description(), { flag: "wx", mode: 0o600 });
  try {
    for (const command of commands) {
      const status = runShell(substituted(command, { R: repo.path, A: file }), [], root);
      if (status === 0) continue;
      throw new RepoError("hook-failed", `the hook ${command} refused the commit (status ${status})`, {
        hint: "mend what it found, or commit with --no-verify",
        data: { status },
      });
    }
  } finally {
    rmSync(file, { force: true });
  }
}

interface Hook {
  readonly type?: unknown;
  readonly cmd?: unknown;
  readonly seq?: unknown;
}

/** @throws RepoError `hooks-unreadable` */
function beforeCommitHooks({ config }: Repo): string[] {
  const setting = config.get("hooks");
  if (setting === undefined) return [];
  const hooks = readHooks(setting).filter(({ type }) => type === "before-commit");
  hooks.sort((a, b) => Number(a.seq ?? 0) - Number(b.seq ?? 0));
  return hooks.flatMap(({ cmd }) => (typeof cmd === "string" && cmd !== "" ? [cmd] : []));
}

function readHooks(setting: string): Hook[] {
  try {
    const hooks: unknown = JSON.parse(setting);
    if (Array.isArray(hooks)) return hooks.filter((hook) => typeof hook === "object" && hook !== null);
  } catch {}
  throw new RepoError("hooks-unreadable", "the setting hooks is no JSON array, so no hook can be run", {
    hint: "mend it with fossil hook, or commit with --no-verify",
  });
}

function substituted(command: string, values: Readonly<Record<"R" | "A", string>>): string {
  return command.replace(/%([FRA])/g, (_, letter: "F" | "R" | "A") =>
    letter === "F" ? (Bun.which("fossil") ?? process.execPath) : values[letter],
  );
}
