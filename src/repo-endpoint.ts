/**
 * The iroh endpoints that may connect to the leaf of a repository, by their ids:
 *
 *     fx_iroh_allow(id, mtime)    64 lower-case hex digits; seconds since 1970
 */
import type { Repo } from "./repo.ts";

export function isEndpointAllowed(repo: Repo, id: string): boolean {
  return hasList(repo) && repo.db.prepare("SELECT 1 FROM fx_iroh_allow WHERE id=?").value(id) !== undefined;
}

/** Oldest first. */
export function allowedEndpoints(repo: Repo): string[] {
  if (!hasList(repo)) return [];
  return repo.db
    .prepare("SELECT id FROM fx_iroh_allow ORDER BY mtime, id")
    .values<[string]>()
    .map(([id]) => id);
}

/** Returns whether it was not allowed before. */
export function allowEndpoint(repo: Repo, id: string): boolean {
  return repo.db.write(() => {
    if (isEndpointAllowed(repo, id)) return false;
    repo.db.exec("CREATE TABLE IF NOT EXISTS fx_iroh_allow(id TEXT PRIMARY KEY, mtime INTEGER)");
    repo.db
      .prepare("INSERT INTO fx_iroh_allow(id,mtime) VALUES(?,?)")
      .run(id, Math.floor(repo.clock.now() / 1000));
    return true;
  });
}

/** Returns whether it was allowed before. */
export function denyEndpoint(repo: Repo, id: string): boolean {
  return repo.db.write(() => {
    if (!isEndpointAllowed(repo, id)) return false;
    repo.db.prepare("DELETE FROM fx_iroh_allow WHERE id=?").run(id);
    return true;
  });
}

function hasList({ db }: Repo): boolean {
  return db.prepare("SELECT 1 FROM sqlite_schema WHERE name='fx_iroh_allow'").value() !== undefined;
}
