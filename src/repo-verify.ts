/**
 * Whether a repository file holds what it says: our counterpart of `fossil test-integrity`, and more.
 *
 * Two kinds of checks. Of structure, in SQL: the database itself; delta chains that are cycles or end
 * nowhere; public artifacts stored as deltas of private ones; rows about artifacts that do not exist;
 * phantoms that are not marked so, or the reverse; names that are no hashes. Of content: every artifact
 * expands to its size and hashes to its name, each expanded once along its delta tree.
 *
 * Phantoms, and artifacts stored as deltas of them, are not problems: they wait for a peer.
 *
 * The work is cut into jobs over ranges of rids, for an `Executor`: in worker threads, or inline.
 */
import type { Clock } from "./clock.ts";
import type { RepoError } from "./errors.ts";
import type { Executor } from "./executor.ts";
import { hashMatches, isHash } from "./hash.ts";
import type { Random } from "./random.ts";
import { Repo } from "./repo.ts";
import type { Rid } from "./repo-content.ts";
import { type TreeNode, treeRoots, walkDeltaTree } from "./repo-delta-tree.ts";

export type VerifyCode =
  | "database-damaged"
  | "content-damaged"
  | "wrong-hash"
  | "wrong-size"
  | "bad-name"
  | "delta-cycle"
  | "delta-dangling"
  | "public-on-private"
  | "phantom-mismatch"
  | "row-dangling";

export interface VerifyProblem {
  readonly code: VerifyCode;
  readonly rid: Rid | undefined;
  readonly hash: string | undefined;
  /** One line for people. */
  readonly message: string;
}

export interface VerifyReport {
  /** Artifacts expanded and hashed, and their total size. */
  readonly artifactCount: number;
  readonly byteCount: number;
  readonly phantomCount: number;
  /** Artifacts that cannot be expanded because they need a phantom. */
  readonly waitingCount: number;
  readonly problems: readonly VerifyProblem[];
}

export interface VerifyProgress {
  readonly artifactCount: number;
  readonly artifactTotal: number;
  readonly byteCount: number;
}

export interface VerifyOptions {
  readonly onProgress?: (progress: VerifyProgress) => void;
  /** Parts the content is checked in; progress is reported after each. */
  readonly partCount?: number;
  /** Parts that are under way at a time: as many as the executor has threads. Default all. */
  readonly parallelCount?: number;
}

/** A range of rids, both ends included. */
interface Part {
  readonly first: number;
  readonly last: number;
}

interface Plan {
  readonly parts: readonly Part[];
  readonly artifactTotal: number;
}

export type VerifyJobs = ReturnType<typeof createVerifyJobs>;

/** The jobs that `verifyRepository` runs; each opens the file for itself. */
export function createVerifyJobs(deps: { readonly clock: Clock; readonly random: Random }) {
  const reading = <T>(path: string, use: (repo: Repo) => T): T => {
    const repo = Repo.open(path, { mode: "read", anyDerivedSchema: true, ...deps });
    try {
      return repo.db.snapshot(() => use(repo));
    } finally {
      repo.close();
    }
  };
  return {
    verifyPlan: ({ path, partCount }: { path: string; partCount: number }) =>
      reading(path, (repo) => plan(repo, partCount)),
    verifyStructure: ({ path }: { path: string }) => reading(path, verifyStructure),
    verifyContent: ({ path, part }: { path: string; part: Part }) =>
      reading(path, (repo) => verifyContent(repo, part)),
  };
}

/**
 * Checks the repository at `path`.
 *
 * @throws RepoError as `Repo.open`, for a file that is no repository at all
 */
export async function verifyRepository(
  executor: Executor<VerifyJobs>,
  path: string,
  { onProgress, partCount = 64, parallelCount = partCount }: VerifyOptions = {},
): Promise<VerifyReport> {
  const { parts, artifactTotal } = await executor.run("verifyPlan", { path, partCount });
  let artifactCount = 0;
  let byteCount = 0;
  const report = () => onProgress?.({ artifactCount, artifactTotal, byteCount });
  report();
  // The last first: the newest of a history is mostly stored in full, with all of its past as deltas of it.
  const waiting = parts.map((part, index) => ({ part, index }));
  const problems: VerifyProblem[][] = [];
  const [structure] = await Promise.all([
    executor.run("verifyStructure", { path }),
    ...Array.from({ length: parallelCount }, async () => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
        const checked = await executor.run("verifyContent", { path, part: next.part });
        problems[next.index] = checked.problems;
        artifactCount += checked.artifactCount;
        byteCount += checked.byteCount;
        report();
      }
    }),
  ]);
  return { ...structure, artifactCount, byteCount, problems: [...structure.problems, ...problems.flat()] };
}

function plan(repo: Repo, partCount: number): Plan {
  const parts = repo.db
    .prepare(
      `SELECT min(rid), max(rid) FROM (SELECT rid, ntile(?) OVER (ORDER BY rid) AS part FROM blob)
       GROUP BY part ORDER BY part`,
    )
    .values<[number, number]>(partCount)
    .map(([first, last]) => ({ first, last }));
  const artifactTotal = repo.db.prepare("SELECT count(*) FROM blob WHERE size>=0").value<number>()!;
  return { parts, artifactTotal };
}

function verifyContent(repo: Repo, { first, last }: Part) {
  const problems: VerifyProblem[] = [];
  let artifactCount = 0;
  let byteCount = 0;
  const visitor = {
    visit({ rid, hash }: TreeNode, content: Uint8Array): void {
      artifactCount++;
      byteCount += content.length;
      const size = repo.content.size(rid);
      const problem = (code: VerifyCode, why: string) =>
        problems.push({ code, rid, hash, message: `artifact ${hash} ${why}` });
      if (content.length !== size) problem("wrong-size", `has ${content.length} bytes, ${size} are recorded`);
      if (!isHash(hash)) problem("bad-name", "has a name that is no hash");
      else if (!hashMatches(content, hash)) problem("wrong-hash", "does not hash to its name");
    },
    damaged({ rid, hash }: TreeNode, error: RepoError): void {
      problems.push({ code: "content-damaged", rid, hash, message: error.message });
    },
  };
  for (const root of treeRoots(repo.content, first, last)) walkDeltaTree(repo.content, root, visitor);
  return { artifactCount, byteCount, problems };
}

function verifyStructure(repo: Repo): Pick<VerifyReport, "phantomCount" | "waitingCount" | "problems"> {
  const { db } = repo;
  const problems: VerifyProblem[] = [];
  for (const [line] of db.prepare("PRAGMA integrity_check(100)").values<[string]>()) {
    if (line !== "ok") {
      problems.push({
        code: "database-damaged",
        rid: undefined,
        hash: undefined,
        message: `database: ${line}`,
      });
    }
  }
  for (const { code, sql, say } of STRUCTURE_CHECKS) {
    for (const [rid, hash] of db.prepare(sql).values<[Rid, string | null]>()) {
      const name = hash === null ? `record ${rid}` : `artifact ${hash}`;
      problems.push({ code, rid, hash: hash ?? undefined, message: `${name} ${say}` });
    }
  }
  const phantomCount = db.prepare("SELECT count(*) FROM blob WHERE size<0").value<number>()!;
  const waitingCount = db
    .prepare(
      `WITH RECURSIVE waiting(rid) AS (
         SELECT d.rid FROM delta d JOIN blob b ON b.rid=d.srcid WHERE b.size<0
         UNION SELECT d.rid FROM waiting w JOIN delta d ON d.srcid=w.rid)
       SELECT count(*) FROM waiting JOIN blob USING(rid) WHERE size>=0`,
    )
    .value<number>()!;
  return { phantomCount, waitingCount, problems };
}

/** Each query gives the rid and, if there is one, the name of what is wrong. */
const STRUCTURE_CHECKS: readonly { readonly code: VerifyCode; readonly sql: string; readonly say: string }[] =
  [
    {
      code: "delta-dangling",
      sql: `SELECT d.rid, b.uuid FROM delta d LEFT JOIN blob b ON b.rid=d.rid
          WHERE NOT EXISTS(SELECT 1 FROM blob s WHERE s.rid=d.srcid)`,
      say: "is stored as a delta of a record that does not exist",
    },
    {
      code: "delta-cycle",
      sql: `WITH RECURSIVE sound(rid) AS (
            SELECT srcid FROM delta WHERE srcid NOT IN (SELECT rid FROM delta)
            UNION SELECT d.rid FROM sound s JOIN delta d ON d.srcid=s.rid)
          SELECT d.rid, b.uuid FROM delta d JOIN blob b ON b.rid=d.rid
          WHERE d.rid NOT IN (SELECT rid FROM sound) ORDER BY d.rid`,
      say: "has a delta chain that never ends",
    },
    {
      code: "public-on-private",
      sql: `SELECT d.rid, b.uuid FROM delta d JOIN blob b ON b.rid=d.rid
          WHERE d.srcid IN (SELECT rid FROM private) AND d.rid NOT IN (SELECT rid FROM private)
            AND EXISTS(SELECT 1 FROM blob s WHERE s.rid=d.srcid AND s.size>=0)`,
      say: "is public but stored as a delta of a private artifact",
    },
    {
      code: "phantom-mismatch",
      sql: `SELECT b.rid, b.uuid FROM blob b LEFT JOIN phantom p ON p.rid=b.rid
          WHERE (b.size<0)<>(p.rid IS NOT NULL)`,
      say: "is a phantom to one table and not to another",
    },
    { code: "row-dangling", sql: danglingSql("delta"), say: "is in the table delta but does not exist" },
    { code: "row-dangling", sql: danglingSql("phantom"), say: "is in the table phantom but does not exist" },
    { code: "row-dangling", sql: danglingSql("private"), say: "is in the table private but does not exist" },
    {
      code: "row-dangling",
      sql: danglingSql("unclustered"),
      say: "is in the table unclustered but does not exist",
    },
    { code: "row-dangling", sql: danglingSql("unsent"), say: "is in the table unsent but does not exist" },
  ];

function danglingSql(table: "delta" | "phantom" | "private" | "unclustered" | "unsent"): string {
  return `SELECT rid, NULL FROM ${table} WHERE rid NOT IN (SELECT rid FROM blob)`;
}
