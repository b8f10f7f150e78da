/**
 * Settings as they hold in a checkout. A versioned setting is a file `.fossil-settings/NAME` in the working
 * tree: it comes first, for settings that may be versioned. Then the repository's `config`, then what the user
 * set for all repositories (table `global_config` of `~/.fossil`), then the default. In such a file lines
 * that begin with `#` are comments, and white space around the rest does not count.
 *
 * The user's file is the first of: `$FOSSIL_HOME/.fossil`, `$HOME/.fossil`, `$XDG_CONFIG_HOME/fossil.db`,
 * `$HOME/.config/fossil.db` (on Windows `_fossil` in `FOSSIL_HOME`, `LOCALAPPDATA`, `APPDATA`).
 *
 * Source: Fossil `src/db.c`.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { GlobList } from "./checkout-glob.ts";
import { Db } from "./db.ts";
import type { Repo } from "./repo.ts";

/** Settings that a check-in can carry. */
export const VERSIONED_SETTINGS: ReadonlySet<string> = new Set([
  "binary-glob",
  "clean-glob",
  "crlf-glob",
  "crnl-glob",
  "dotfiles",
  "empty-dirs",
  "encoding-glob",
  "ignore-glob",
  "keep-glob",
  "manifest",
  "mimetypes",
]);

/** Where to look for settings. */
export interface SettingPlaces {
  readonly repo: Repo;
  /** Top of the working tree. */
  readonly root: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export class CheckoutSettings {
  private readonly versioned = new Map<string, string | undefined>();
  private userSettings: ReadonlyMap<string, string> | undefined;

  constructor(private readonly places: SettingPlaces) {}

  /** The value of `name`; `undefined` when it is set nowhere. */
  get(name: string): string | undefined {
    return this.fromTree(name) ?? this.places.repo.config.get(name) ?? this.user().get(name);
  }

  /** `on`, `yes`, `true` and numbers but 0 are true; `off`, `no`, `false` and 0 false; else the fallback. */
  isOn(name: string, fallback: boolean): boolean {
    const value = this.get(name);
    if (value === undefined) return fallback;
    if (/^(?:on|yes|true|[1-9]\d*)$/i.test(value)) return true;
    return /^(?:off|no|false|0)$/i.test(value) ? false : fallback;
  }

  globs(name: string): GlobList {
    return new GlobList(this.get(name));
  }

  /** Folders that exist in every checkout, files or not. */
  emptyFolders(): readonly string[] {
    return this.globs("empty-dirs").patterns;
  }

  /**
   * Whether links are files of their own. The repository decides, not the tree: a check-in from elsewhere
   * must not turn them on.
   */
  get allowsLinks(): boolean {
    const value = this.places.repo.config.get("allow-symlinks") ?? this.user().get("allow-symlinks");
    return value !== undefined && /^(?:on|yes|true|[1-9]\d*)$/i.test(value);
  }

  /** Forgets what was read from the working tree: its files may have changed. */
  refresh(): void {
    this.versioned.clear();
  }

  private fromTree(name: string): string | undefined {
    if (!VERSIONED_SETTINGS.has(name)) return undefined;
    if (!this.versioned.has(name)) this.versioned.set(name, readVersioned(this.places.root, name));
    return this.versioned.get(name);
  }

  private user(): ReadonlyMap<string, string> {
    this.userSettings ??= readUserSettings(this.places.env);
    return this.userSettings;
  }
}

function readVersioned(root: string, name: string): string | undefined {
  let written: string;
  try {
    written = readFileSync(join(root, ".fossil-settings", name), "utf8");
  } catch {
    return undefined;
  }
  return versionedValue(written);
}

/** The value that the file of a versioned setting gives. */
export function versionedValue(written: string): string {
  return written
    .split("\n")
    .filter((line) => !/^\s*#/.test(line))
    .join("\n")
    .trim();
}

/** The user's own database of settings; `undefined` when there is none. */
export function userDatabase(env: SettingPlaces["env"]): string | undefined {
  const { FOSSIL_HOME, HOME, XDG_CONFIG_HOME, LOCALAPPDATA, APPDATA } = env;
  const home = (folder: string | undefined, name: string) => (folder ? [join(folder, name)] : []);
  const candidates =
    process.platform === "win32"
      ? [FOSSIL_HOME, LOCALAPPDATA, APPDATA].flatMap((folder) => home(folder, "_fossil"))
      : [
          ...home(FOSSIL_HOME, ".fossil"),
          ...home(HOME, ".fossil"),
          ...home(XDG_CONFIG_HOME, "fossil.db"),
          ...home(HOME, ".config/fossil.db"),
        ];
  return candidates.find((path) => existsSync(path));
}

function readUserSettings(env: SettingPlaces["env"]): ReadonlyMap<string, string> {
  const path = userDatabase(env);
  if (path === undefined) return new Map();
  let db: Db | undefined;
  try {
    db = Db.open(path, { mode: "read" });
    const rows = db.prepare("SELECT name, value FROM global_config WHERE value IS NOT NULL");
    return new Map(rows.values<[string, string | number]>().map(([name, value]) => [name, String(value)]));
  } catch {
    return new Map(); // A file of the user's that we cannot read must not keep a checkout from working.
  } finally {
    db?.close();
  }
}
