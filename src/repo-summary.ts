/** What a visitor or an operator wants to know of a repository at a glance. */
import { basename } from "node:path";
import { formatDateTime, fromJulian } from "./julian.ts";
import type { Repo } from "./repo.ts";
import { Capabilities } from "./repo-capability.ts";

export interface ProjectSummary {
  /** Of the repository, without folder and `.fossil`. */
  readonly fileName: string;
  readonly projectName: string;
  readonly projectCode: string;
  /** Whether an anonymous visitor may clone. */
  readonly openToClone: boolean;
  readonly checkInCount: number;
  /** `YYYY-MM-DD HH:MM:SS`, UTC, of the newest check-in. */
  readonly lastCheckIn: string | undefined;
}

export function summarize(repo: Repo): ProjectSummary {
  const { checkIns, newest } = repo.db
    .prepare<{ checkIns: number; newest: number | null }>(
      "SELECT count(*) AS checkIns, max(mtime) AS newest FROM event WHERE type='ci'",
    )
    .get()!;
  return {
    fileName: basename(repo.path, ".fossil"),
    projectName: repo.config.get("project-name") ?? "",
    projectCode: repo.config.get("project-code") ?? "",
    openToClone: Capabilities.of(repo.users, undefined).has("g"),
    checkInCount: checkIns,
    lastCheckIn: newest === null ? undefined : formatDateTime(fromJulian(newest)),
  };
}
