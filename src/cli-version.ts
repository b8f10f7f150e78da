/** `edgesync --version`: what this program is made of. Loads almost nothing: it is the measure of start-up. */
import { sqliteVersion } from "./db.ts";
import { release } from "./release.ts";

/** The version as data; `without iroh` is `iroh: null`. */
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

export function versionText(): string {
  const { version, commit, date, bun, sqlite, iroh } = versionFacts();
  const addon = iroh === null ? "without iroh" : `iroh ${iroh}`;
  return `edgesync ${version} (commit ${commit.slice(0, 12)}${commit.endsWith("+") ? "+" : ""}, ${date})\nBun ${bun}, SQLite ${sqlite}, ${addon}\n`;
}
