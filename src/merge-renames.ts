/**
 * Names that files changed from one check-in to another, along first parents. From an ancestor to a descendant that
 * way is a single one; when it may go backwards it leads up to the last common ancestor and down again. Check-ins not
 * joined by it have no renames.
 *
 * Source: Fossil `src/path.c`, `find_filename_changes`.
 */
import type { Repo } from "./repo.ts";
import type { Rid } from "./repo-content.ts";

export interface Rename {
  /** Name at the start. */
  readonly from: string;
  /** Name at the end; may be the same again. */
  readonly to: string;
}

export interface RenameOptions {
  /** The way may lead from children to parents too. */
  readonly backwards?: boolean;
}

/** A step between a check-in and its first parent. */
interface Step {
  readonly child: Rid;
  readonly isUp: boolean;
}

interface Trace {
  readonly start: number;
  /** Number of the name before the current step; 0 once the file is gone. */
  now: number;
  next: number;
}

/** Last change first, each file once. */
export function renamesBetween(repo: Repo, from: Rid, to: Rid, { backwards }: RenameOptions = {}): Rename[] {
  const changes = repo.db.prepare(
    "SELECT pfnid, fnid FROM mlink WHERE mid=? AND (pfnid>0 OR fid==0) ORDER BY pfnid",
  );
  const traces: Trace[] = [];
  for (const { child, isUp } of stepsBetween(repo, from, to, backwards ?? false)) {
    for (const [priorName, name] of changes.values<[number, number]>(child)) {
      const [before, after] = priorName === 0 ? [name, 0] : [priorName, name];
      if (isUp) follow(traces, after, before);
      else follow(traces, before, after);
    }
    for (const trace of traces) trace.now = trace.next;
  }
  const nameOf = repo.db.prepare("SELECT name FROM filename WHERE fnid=?");
  return traces
    .filter(({ start, next }) => start !== 0 && next !== 0)
    .reverse()
    .map(({ start, next }) => ({ from: nameOf.value<string>(start)!, to: nameOf.value<string>(next)! }));
}

function follow(traces: Trace[], before: number, after: number): void {
  const known = traces.findLast(({ now }) => now === before);
  if (known !== undefined) known.next = after;
  else if (after > 0) traces.push({ start: before, now: before, next: after });
}

function stepsBetween(repo: Repo, from: Rid, to: Rid, backwards: boolean): Step[] {
  const parentOf = repo.db.prepare("SELECT pid FROM plink WHERE cid=? AND isprim");
  const above = new Map<Rid, number>([[from, 0]]);
  const up: Step[] = [];
  if (backwards) {
    for (let child = from; ; ) {
      const parent = parentOf.value<Rid>(child);
      if (parent === undefined || above.has(parent)) break;
      up.push({ child, isUp: true });
      above.set(parent, up.length);
      child = parent;
    }
  }
  const down: Step[] = [];
  for (let child = to; ; ) {
    const height = above.get(child);
    if (height !== undefined) return [...up.slice(0, height), ...down.reverse()];
    const parent = parentOf.value<Rid>(child);
    if (parent === undefined) return [];
    down.push({ child, isUp: false });
    child = parent;
  }
}
