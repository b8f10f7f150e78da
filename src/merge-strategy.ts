/**
 * How files that both sides changed are merged:
 *
 *     three-way     by text (`merge-text.ts`); what is no text conflicts
 *     binary        never merged: a conflict, the local version stays
 *     last-writer   the version written last, without a conflict: the local one when it has changes that are not
 *                   committed, else the one whose content was first checked in later (of equal dates the one with the
 *                   larger hash, so that both sides choose the same)
 *     fork          the local version stays, all versions are kept (`merge-conflict.ts`), one is chosen later
 *
 * Which one holds for a file, first match wins: the strategy given with the command; patterns given as binary; the
 * lines of `.edgesync-merge` at the top of the working tree; the setting `binary-glob`; the setting `merge-strategy`;
 * three-way.
 *
 *     # .edgesync-merge: a pattern as in ignore-glob, and a strategy
 *     *.png     binary
 *     config/*  last-writer
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Checkout } from "./checkout-db.ts";
import { GlobList } from "./checkout-glob.ts";
import { FormatError } from "./errors.ts";
import type { Rid } from "./repo-content.ts";

export const MERGE_STRATEGIES = ["three-way", "last-writer", "binary", "fork"] as const;
export type MergeStrategy = (typeof MERGE_STRATEGIES)[number];

export const MERGE_FILE = ".edgesync-merge";

export interface StrategyOptions {
  /** For every file. */
  readonly strategy?: MergeStrategy | undefined;
  /** Patterns of files that are binary, instead of the setting. */
  readonly binary?: string | undefined;
}

interface Rule {
  readonly globs: GlobList;
  readonly strategy: MergeStrategy;
}

/**
 * From a file's name to its strategy.
 *
 * @throws FormatError `merge-file`, `merge-strategy`
 */
export function strategies(
  checkout: Checkout,
  { strategy, binary }: StrategyOptions,
): (name: string) => MergeStrategy {
  if (strategy !== undefined) return () => strategy;
  const { settings, root } = checkout;
  const isBinary = (globs: string | undefined): Rule[] =>
    globs === undefined ? [] : [{ globs: new GlobList(globs), strategy: "binary" }];
  const rules = [
    ...isBinary(binary),
    ...readRules(root),
    ...(binary === undefined ? isBinary(settings.get("binary-glob")) : []),
  ];
  const fallback = toStrategy(settings.get("merge-strategy") ?? "three-way", "the setting merge-strategy");
  return (name) => rules.find(({ globs }) => globs.matches(name))?.strategy ?? fallback;
}

function readRules(root: string): Rule[] {
  let written: string;
  try {
    written = readFileSync(join(root, MERGE_FILE), "utf8");
  } catch {
    return [];
  }
  return written.split("\n").flatMap((line, i) => {
    const words = line.trim();
    if (words === "" || words.startsWith("#")) return [];
    const [, globs, name] = /^(.*\S)\s+(\S+)$/.exec(words) ?? [];
    if (globs === undefined || name === undefined) {
      throw new FormatError(
        "merge-file",
        `line ${i + 1} of ${MERGE_FILE}: expected PATTERN STRATEGY, got ${words}`,
      );
    }
    return [{ globs: new GlobList(globs), strategy: toStrategy(name, `line ${i + 1} of ${MERGE_FILE}`) }];
  });
}

function toStrategy(name: string, where: string): MergeStrategy {
  const strategy = MERGE_STRATEGIES.find((known) => known === name);
  if (strategy !== undefined) return strategy;
  throw new FormatError("merge-strategy", `${where}: there is no merge strategy ${JSON.stringify(name)}`, {
    hint: `use one of ${MERGE_STRATEGIES.join(", ")}`,
  });
}

/** Whether content `a` was written after `b`: first checked in later. */
export function isLaterContent({ repo }: Checkout, a: Rid, b: Rid): boolean {
  const written = repo.db.prepare(
    "SELECT min(e.mtime) FROM mlink m JOIN event e ON e.objid=m.mid WHERE m.fid=?",
  );
  const [dateA, dateB] = [written.value<number>(a) ?? 0, written.value<number>(b) ?? 0];
  if (dateA !== dateB) return dateA > dateB;
  return repo.content.hashOf(a) > repo.content.hashOf(b);
}
