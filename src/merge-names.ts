/**
 * Which file of the checkout (V), of the pivot (P) and of the merged check-in (M) are one and the same, through
 * renames. One row per file, with its name in each; a name stands in one row only for each of the four columns:
 *
 *     v, p, m   name in V, P, M
 *     n         name in the name pivot (N), the last common ancestor by first parents, from which renames are traced
 *
 * The rows come about in this order, and where a row would repeat a name of another it is not changed (`offer`) or
 * replaces that one (`replace`):
 *
 *   1. renames from N to V, to P and to M;
 *   2. where P is not N: names left open are filled in with those of N, P, V and M that exist there;
 *   3. every file of V, by its name in the check-in; its rows replace others;
 *   4. every file of P, then of M, that is in no row yet.
 *
 * Source: Fossil `src/merge.c`, table FV.
 */
import type { Hash } from "./hash.ts";
import type { Rename } from "./merge-renames.ts";

export type Side = "v" | "p" | "m" | "n";

/** A file of a check-in. */
export interface MergeFile {
  readonly name: string;
  readonly rid: number;
  /** Of a file of P or M: its content's. */
  readonly hash?: Hash;
  readonly isexe: number;
  readonly islink: number;
}

/** A file of the checkout. */
export interface CurrentFile extends MergeFile {
  readonly id: number;
  readonly chnged: number;
  /** Name in the check-in. */
  readonly originalName: string;
  /** Whether it is new in the checkout, put there by a merge. */
  readonly isFromMerge: boolean;
}

export interface NameRow extends Partial<Record<Side, string>> {
  readonly file?: CurrentFile;
}

export interface NamesInput {
  readonly renames: Readonly<Record<"v" | "p" | "m", readonly Rename[]>>;
  readonly current: readonly CurrentFile[];
  /** Of V's check-in itself when that is the pivot. */
  readonly pivot: readonly MergeFile[];
  readonly merged: readonly MergeFile[];
  readonly isPivotNamePivot: boolean;
  /** Whether P is an ancestor of V, so that a file not renamed since has its name. */
  readonly isPivotAncestor: boolean;
}

/** The rows, in the order that a merge goes through them. */
export function matchNames(input: NamesInput): NameRow[] {
  const table = new NameTable();
  for (const side of ["v", "p", "m"] as const) {
    for (const { from, to } of input.renames[side]) table.addRename(side, from, to);
  }
  if (!input.isPivotNamePivot) fillIn(table, input);
  addCurrent(table, input);
  for (const row of table.rows()) {
    if (row.p === undefined) table.offer(row, "p", row.n ?? row.file?.originalName);
  }
  for (const { name } of input.pivot) table.insert({ p: name });
  for (const row of table.rows()) if (row.m === undefined) table.offer(row, "m", row.p);
  for (const { name } of input.merged) table.insert({ m: name });
  return table.rows();
}

function fillIn(table: NameTable, { current, pivot, merged }: NamesInput): void {
  const names = {
    v: new Set(current.map(({ name }) => name)),
    p: new Set(pivot.map(({ name }) => name)),
    m: new Set(merged.map(({ name }) => name)),
  };
  const fill = (side: "v" | "p" | "m", ...guesses: ((row: NameRow) => string | undefined)[]) => {
    for (const row of table.rows()) {
      if (row[side] !== undefined) continue;
      const found = guesses
        .map((guess) => guess(row))
        .find((name) => name !== undefined && names[side].has(name));
      table.offer(row, side, found);
    }
  };
  fill("p", ({ n }) => n);
  fill("v", ({ p, n }) => p ?? n);
  fill("m", ({ p, n }) => p ?? n);
  fill(
    "p",
    ({ m }) => m,
    ({ v }) => v,
  );
  fill("v", ({ m }) => m);
  fill("m", ({ v }) => v);
}

function addCurrent(table: NameTable, { current, isPivotAncestor }: NamesInput): void {
  for (const row of table.rows()) {
    if (row.v === undefined) table.offer(row, "v", isPivotAncestor ? (row.p ?? row.n) : row.n);
  }
  const found = current.map((file) => {
    const traced = file.rid > 0 && !file.isFromMerge ? table.find("v", file.originalName) : undefined;
    const { p, m, n } = traced ?? {};
    return {
      ...(p !== undefined && { p }),
      ...(m !== undefined && { m }),
      ...(n !== undefined && { n }),
      v: file.name,
      file,
    };
  });
  for (const row of found) table.replace(row);
}

const SIDES: readonly Side[] = ["v", "p", "m", "n"];

class NameTable {
  private readonly all = new Set<NameRow>();
  private readonly byName = {
    v: new Map<string, NameRow>(),
    p: new Map<string, NameRow>(),
    m: new Map<string, NameRow>(),
    n: new Map<string, NameRow>(),
  };

  rows(): NameRow[] {
    return [...this.all];
  }

  find(side: Side, name: string): NameRow | undefined {
    return this.byName[side].get(name);
  }

  /** Gives `row` a name on a side, unless another row has it there. */
  offer(row: NameRow, side: Side, name: string | undefined): void {
    if (name === undefined || this.byName[side].has(name)) return;
    if (row[side] !== undefined) this.byName[side].delete(row[side]);
    row[side] = name;
    this.byName[side].set(name, row);
  }

  addRename(side: "v" | "p" | "m", from: string, to: string): void {
    if (this.insert({ [side]: to, n: from })) return;
    const row = this.find("n", from);
    if (row !== undefined) this.offer(row, side, to);
  }

  /** Adds a row unless one of its names is taken. */
  insert(row: NameRow): boolean {
    if (SIDES.some((side) => row[side] !== undefined && this.byName[side].has(row[side]))) return false;
    this.add(row);
    return true;
  }

  /** Adds a row in place of those that have one of its names. */
  replace(row: NameRow): void {
    for (const side of SIDES) {
      const name = row[side];
      const other = name === undefined ? undefined : this.find(side, name);
      if (other !== undefined) this.remove(other);
    }
    this.add(row);
  }

  private add(row: NameRow): void {
    this.all.add(row);
    for (const side of SIDES) if (row[side] !== undefined) this.byName[side].set(row[side], row);
  }

  private remove(row: NameRow): void {
    this.all.delete(row);
    for (const side of SIDES) if (row[side] !== undefined) this.byName[side].delete(row[side]);
  }
}
