/**
 * `edgesync --version`: what this program is made of. Loads almost nothing, for it is the measure of
 * start-up; with `-v` it also tries what it only names otherwise.
 */
import { sqliteVersion } from "./db.ts";
import { release } from "./release.ts";

/** The version as data. Without iroh, `iroh` is null. */
export function versionFacts() {
  const { version, commit, date, iroh } = release;
  return {
    version,
    commit,
    date,
    bun: Bun.version,
    sqlite: sqliteVersion(),
    iroh: iroh === "" ? null : iroh,
  };
}

/** Two lines, without a line feed at the end. */
export function versionText(): string {
  const { version, commit, date, bun, sqlite, iroh } = versionFacts();
  const addon = iroh === null ? "without iroh" : `iroh ${iroh}`;
  return `edgesync ${version} (commit ${shortCommit(commit)}, ${date})\nBun ${bun}, SQLite ${sqlite}, ${addon}`;
}

/** Keeps the mark of a build from a changed tree. */
const shortCommit = (commit: string) => commit.replace(/^([0-9a-f]{12})[0-9a-f]*/, "$1");

/** Whether iroh's addon really loads. */
export async function irohLoads(): Promise<boolean> {
  const { loadIroh } = await import("./iroh-addon.ts");
  return loadIroh().then(
    () => true,
    () => false,
  );
}
