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
  if (from === to) return [];
  const steps = stepsBetween(repo, from, to, backwards ?? false);
  const changes = changesOf(repo, steps);
  const traces: Trace[] = [];
  for (const { child, isUp } of steps) {
    const changed = changes.get(child);
    if (changed === undefined) continue;
    for (const [priorName, name] of changed) {
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

type NameChange = readonly [priorName: number, name: number];

/** Renames and removals of each check-in that has some. */
function changesOf({ db }: Repo, steps: readonly Step[]): ReadonlyMap<Rid, readonly NameChange[]> {
  const rows = db
    .prepare(
      `SELECT mid, pfnid, fnid FROM mlink WHERE mid IN (SELECT value FROM json_each(?))
       AND (pfnid>0 OR fid==0) ORDER BY mid, pfnid`,
    )
    .values<[Rid, number, number]>(JSON.stringify(steps.map(({ child }) => child)));
  const changes = new Map<Rid, NameChange[]>();
  for (const [mid, priorName, name] of rows) {
    const known = changes.get(mid);
    if (known === undefined) changes.set(mid, [[priorName, name]]);
    else known.push([priorName, name]);
  }
  return changes;
}

function follow(traces: Trace[], before: number, after: number): void {
  const known = traces.findLast(({ now }) => now === before);
  if (known !== undefined) known.next = after;
  else if (after > 0) traces.push({ start: before, now: before, next: after });
}

function stepsBetween(repo: Repo, from: Rid, to: Rid, backwards: boolean): Step[] {
  const up = backwards ? ancestorsOf(repo, from, 0) : [from];
  const height = new Map(up.map((rid, i) => [rid, i]));
  const down = ancestorsOf(repo, to, backwards ? 0 : from);
  const met = down.findIndex((rid) => height.has(rid));
  if (met < 0) return [];
  return [
    ...up.slice(0, height.get(down[met]!)).map((child) => ({ child, isUp: true })),
    ...down
      .slice(0, met)
      .reverse()
      .map((child) => ({ child, isUp: false })),
  ];
}

/** First parents of `rid`, itself before them, up to `last` or to the first check-in. */
function ancestorsOf({ db }: Repo, rid: Rid, last: Rid | 0): Rid[] {
  return db
    .prepare(
      `WITH RECURSIVE above(rid, depth) AS (
         SELECT ?1, 0
         UNION ALL
         SELECT p.pid, a.depth+1 FROM above a JOIN plink p ON p.cid=a.rid AND p.isprim WHERE a.rid!=?2
       )
       SELECT rid FROM above ORDER BY depth`,
    )
    .values<[Rid]>(rid, last)
    .flat();
}
