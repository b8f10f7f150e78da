/**
 * Settings as they hold in a checkout. A versioned setting is a file `.fossil-settings/NAME` in the working
 * tree: it comes first, for settings that may be versioned. Then the repository's `config`, then what the user
 * set for all repositories (table `global_config` of `~/.fossil`), then the default. In such a file lines
 * that begin with `#` are comments, and white space around the rest does not count.
 *
 * Where the user's file is: `checkout-user-db.ts`.
 *
 * Source: Fossil `src/db.c`.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { GlobList } from "./checkout-glob.ts";
import { userSettings } from "./checkout-user-db.ts";
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
  /** Top of the working tree; without one nothing is versioned. */
  readonly root?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** In stock's words: a file of the tree, the repository, the user's own for all repositories. */
export type SettingSource = "versioned" | "local" | "global";

export interface FoundSetting {
  readonly name: string;
  readonly value: string;
  readonly source: SettingSource;
}

export class CheckoutSettings {
  private readonly versioned = new Map<string, string | undefined>();
  private userSettings: ReadonlyMap<string, string> | undefined;

  constructor(private readonly places: SettingPlaces) {}

  /** The value of `name`; `undefined` when it is set nowhere. */
  get(name: string): string | undefined {
    return this.fromTree(name) ?? this.places.repo.config.get(name) ?? this.user().get(name);
  }

  /** The value of `name`, and where it is from; `undefined` when it is set nowhere. */
  find(name: string): FoundSetting | undefined {
    const found = (source: SettingSource, value: string | undefined) =>
      value === undefined ? undefined : { name, value, source };
    return (
      found("versioned", this.fromTree(name)) ??
      found("local", this.places.repo.config.get(name)) ??
      found("global", this.user().get(name))
    );
  }

  /** Every setting that the tree or the user sets, besides those of the repository. */
  beyondRepository(): FoundSetting[] {
    const versioned = [...VERSIONED_SETTINGS].filter((name) => this.fromTree(name) !== undefined);
    const own = [...this.user().keys()].filter((name) => !/^(?:repo|ckout):/.test(name));
    return [...new Set([...versioned, ...own])].sort().map((name) => this.find(name)!);
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
    const { root } = this.places;
    if (root === undefined) return undefined;
    if (!this.versioned.has(name)) this.versioned.set(name, readVersioned(root, name));
    return this.versioned.get(name);
  }

  private user(): ReadonlyMap<string, string> {
    this.userSettings ??= userSettings(this.places.env);
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
