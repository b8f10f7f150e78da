/**
 * The peers a repository remembers, as stock keeps them in `config` (Fossil `src/url.c`, `src/sync.c`):
 *
 *     last-sync-url, last-sync-pw          the default one
 *     sync-url:NAME, sync-pw:NAME          named ones (`fossil remote`)
 *     syncwith:URL                         every web address synced with, and when
 *
 * URLs are in stock's canonical form, with the login and without the password; passwords are obscured
 * (`repo-obscure.ts`). Stock refuses to open a repository whose `last-sync-url` it cannot read, so a peer
 * that is neither a web address nor a file is remembered in a table of ours instead:
 *
 *     fx_remote(name, url, mtime)          name `default` for the default one, which then comes first
 */
import type { Random } from "./random.ts";
import type { Repo } from "./repo.ts";
import { obscure, unobscure } from "./repo-obscure.ts";

export interface RememberedRemote {
  readonly url: string;
  readonly password: string | undefined;
}

const DEFAULT = "default";

/** Whether stock can use a URL. */
export function isStockUrl(url: string): boolean {
  return /^(?:https?|file):/.test(url);
}

/** The peer to sync with when none is named. */
export function defaultRemote(repo: Repo): RememberedRemote | undefined {
  const own = ownRemote(repo, DEFAULT);
  return own ?? storedRemote(repo, "last-sync-url", "last-sync-pw");
}

/** The peer that `name` was given to. */
export function namedRemote(repo: Repo, name: string): RememberedRemote | undefined {
  if (name === DEFAULT) return defaultRemote(repo);
  return ownRemote(repo, name) ?? storedRemote(repo, `sync-url:${name}`, `sync-pw:${name}`);
}

/** Makes a peer the default one. A password that is not given is forgotten when the peer is another. */
export function rememberRemote(repo: Repo, { url, password }: RememberedRemote, random: Random): void {
  const { config, db, clock } = repo;
  db.write(() => {
    if (!isStockUrl(url)) {
      db.exec(
        "CREATE TABLE IF NOT EXISTS fx_remote(name TEXT PRIMARY KEY, url TEXT NOT NULL, mtime INTEGER)",
      );
      db.prepare("REPLACE INTO fx_remote(name,url,mtime) VALUES(?,?,?)").run(
        DEFAULT,
        url,
        Math.floor(clock.now() / 1000),
      );
      return;
    }
    if (hasOwnRemotes(repo)) db.prepare("DELETE FROM fx_remote WHERE name=?").run(DEFAULT);
    if (config.get("last-sync-url") !== url) {
      config.unset("last-sync-pw");
      config.set("last-sync-url", url);
    }
    if (password !== undefined && storedPassword(repo, "last-sync-pw") !== password) {
      config.set("last-sync-pw", obscure(password, random));
    }
    const met = `syncwith:${url.replace(/\/\/[^/]*@/, "//")}`;
    if (/^https?:/.test(url) && !/localhost/i.test(new URL(url).hostname)) config.set(met, "{}");
  });
}

function storedRemote(repo: Repo, urlKey: string, passwordKey: string): RememberedRemote | undefined {
  const url = repo.config.get(urlKey);
  return url === undefined ? undefined : { url, password: storedPassword(repo, passwordKey) };
}

function storedPassword(repo: Repo, key: string): string | undefined {
  const stored = repo.config.get(key);
  return stored === undefined ? undefined : unobscure(stored);
}

function ownRemote(repo: Repo, name: string): RememberedRemote | undefined {
  if (!hasOwnRemotes(repo)) return undefined;
  const url = repo.db.prepare("SELECT url FROM fx_remote WHERE name=?").value<string>(name);
  return url === undefined ? undefined : { url, password: undefined };
}

function hasOwnRemotes({ db }: Repo): boolean {
  return db.prepare("SELECT 1 FROM sqlite_schema WHERE name='fx_remote'").value() !== undefined;
}
