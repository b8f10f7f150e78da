/**
 * Computing every derived table anew from the artifacts: our counterpart of `fossil rebuild`. Afterwards
 * each derived table equals, row for row, what stock's rebuild of the same file makes. Facts: Fossil
 * `src/rebuild.c`; fossil-facts E and G28.
 *
 * One write transaction, in this order:
 *   1. derived tables, ticket tables and `forumpost` are dropped and made empty; tables named `fx_…` and
 *      any that are not known here stay;
 *   2. shunned artifacts go, and what is a delta of them becomes full text first;
 *   3. `unclustered` holds every artifact that is not private, `phantom` every one without content;
 *   4. all artifacts are linked in one batch, along the delta trees, in the order of stock
 *      (`repo-stock-trees.ts`); ordinary files are not expanded (`repo-artifact-walk.ts`). What cannot be expanded for want of a phantom is passed over; what
 *      is damaged is named in the report, and the rest still linked;
 *   5. a project whose main branch has no tag gets it on its first check-in, as two control artifacts;
 *   6. files that only private check-ins use become private, as the check-ins themselves.
 *
 * Secondary indexes of mlink and event, which linking does not use, are made at the end, in one go each.
 *
 * Step 4 takes half of the time with another thread that reads ahead (`repo-artifact-ahead.ts`): artifacts then come
 * expanded, in the same order.
 */
import { formatArtifact } from "./artifact-format.ts";
import type { Db } from "./db.ts";
import type { RepoError } from "./errors.ts";
import type { Hash } from "./hash.ts";
import type { Repo } from "./repo.ts";
import { ArtifactsAhead } from "./repo-artifact-ahead.ts";
import { type ArtifactTrees, type ArtifactVisitor, walkArtifacts } from "./repo-artifact-walk.ts";
import type { Rid } from "./repo-content.ts";
import { beginLinkBatch, crosslink, endLinkBatch } from "./repo-crosslink.ts";
import type { LinkContext } from "./repo-link-context.ts";
import { ReceiveBatch } from "./repo-receive.ts";
import { AUX_SCHEMA_MAX, CONTENT_SCHEMA, DERIVED_TABLES, DERIVED_TABLES_SQL } from "./repo-schema.ts";
import { purgeShunned } from "./repo-shun.ts";
import { type StockNode, StockTrees } from "./repo-stock-trees.ts";
import { findTagId, TAG } from "./repo-tag-name.ts";
import { createTicketTables } from "./repo-ticket-schema.ts";

export interface RebuildProgress {
  readonly artifactCount: number;
  readonly artifactTotal: number;
}

export interface RebuildOptions {
  /** Login for the artifacts of step 5; asked only when there is one to be made. */
  readonly user: () => string;
  /** Recorded as the program that rebuilt. */
  readonly version: string;
  /** Called now and then, at least once per hundredth part. */
  readonly onProgress?: (progress: RebuildProgress) => void;
  /** Memory shared with a thread that runs `readAhead` on the same file. */
  readonly ahead?: SharedArrayBuffer | undefined;
}

export interface DamagedArtifact {
  readonly hash: Hash;
  readonly error: RepoError;
}

export interface RebuildReport {
  /** Artifacts looked at. */
  readonly artifactCount: number;
  /** Of these, how many are more than ordinary files. */
  readonly linkedCount: number;
  /** Artifacts that could not be expanded, and so are in no derived table. */
  readonly damaged: readonly DamagedArtifact[];
}

export function rebuildRepository(repo: Repo, options: RebuildOptions): RebuildReport {
  return repo.db.write(() => {
    resetTables(repo);
    const purgedCount = purgeShunned(repo);
    markUnclustered(repo);
    // The other thread sees the file as it was before this transaction.
    const report = linkAll(repo, options, purgedCount === 0);
    tagMainBranch(repo, options);
    reconstructPrivate(repo);
    for (const sql of DEFERRED_INDEXES.values()) repo.db.exec(sql);
    repo.config.set("content-schema", CONTENT_SCHEMA);
    repo.config.set("aux-schema", AUX_SCHEMA_MAX);
    repo.config.set("rebuilt", options.version);
    return report;
  });
}

/** Name and definition of the indexes that are made at the end. */
const DEFERRED_INDEXES: ReadonlyMap<string, string> = new Map(
  ["mlink_i2", "mlink_i3", "mlink_i4", "event_i1"].map((name) => {
    const sql = DERIVED_TABLES_SQL.split(";").find((statement) =>
      statement.includes(`CREATE INDEX ${name} `),
    );
    if (sql === undefined) throw new Error(`the schema has no index ${name}`);
    return [name, sql];
  }),
);

function resetTables(repo: Repo): void {
  const { db, config, clock } = repo;
  for (const table of [...DERIVED_TABLES, "forumpost", "ticket", "ticketchng"]) {
    db.exec(`DROP TABLE IF EXISTS ${table}`);
  }
  db.exec(DERIVED_TABLES_SQL);
  for (const index of DEFERRED_INDEXES.keys()) db.exec(`DROP INDEX ${index}`);
  createTicketTables(repo);
  db.exec("DROP TABLE IF EXISTS fx_cherrypick_wait");
  config.unset("remote-code");
  config.unset("remote-maxid");
  const now = Math.floor(clock.now() / 1000);
  db.prepare("UPDATE user SET mtime=? WHERE mtime IS NULL").run(now);
}

function markUnclustered({ db }: Repo): void {
  db.exec(`
    INSERT INTO unclustered(rid) SELECT rid FROM blob EXCEPT SELECT rid FROM private;
    INSERT INTO phantom(rid) SELECT rid FROM blob WHERE size<0;
  `);
}

/** Step 4. */
function linkAll(
  repo: Repo,
  { ahead: memory, onProgress }: RebuildOptions,
  mayReadAhead: boolean,
): RebuildReport {
  const ahead = memory && new ArtifactsAhead(memory);
  try {
    const used = mayReadAhead ? ahead : undefined;
    const pass = new LinkPass(repo, used, onProgress);
    if (used === undefined) pass.walk();
    else pass.follow(used);
    return pass.end();
  } finally {
    ahead?.leave();
  }
}

/** Garbage is collected each time this much was expanded: by itself that happens late, for memory outside the heap. */
const COLLECT_EVERY_BYTES = 12_000_000;

/** Every artifact through `crosslink`. */
class LinkPass implements ArtifactVisitor<StockNode> {
  private readonly context: LinkContext;
  private readonly artifactTotal: number;
  private readonly damagedOnes: DamagedArtifact[] = [];
  private artifactCount = 0;
  private linkedCount = 0;
  private expandedBytes = 0;

  constructor(
    private readonly repo: Repo,
    ahead: ArtifactsAhead | undefined,
    private readonly onProgress: RebuildOptions["onProgress"],
  ) {
    this.context = beginLinkBatch(repo, { isRebuild: true, ahead });
    this.artifactTotal = repo.db.prepare("SELECT count(*) FROM blob WHERE size>=0").value<number>()!;
  }

  /** Expands and links. */
  walk(): void {
    const { content } = this.repo;
    const { manifests } = this.context;
    const stock = new StockTrees(content);
    const trees: ArtifactTrees<StockNode> = {
      deltasOf: (source) => stock.deltasOf(source),
      expanded: (rid) => (manifests.kept(rid) ? content.cached(content.hashOf(rid)) : undefined),
    };
    for (const root of stock.roots()) walkArtifacts(content, root, trees, this);
  }

  /** Links what another thread expands. */
  follow(ahead: ArtifactsAhead): void {
    ahead.begin();
    for (let artifact = ahead.next(); artifact !== undefined; artifact = ahead.next()) {
      const { rid, size, isMissized, content, error } = artifact;
      if (error !== undefined) {
        this.damagedOnes.push({ hash: this.repo.content.hashOf(rid), error });
        continue;
      }
      if (isMissized) this.setSize(rid, size);
      if (content !== undefined) this.link(rid, content, true);
      this.count();
    }
  }

  end(): RebuildReport {
    endLinkBatch(this.context);
    const { artifactCount, linkedCount, damagedOnes } = this;
    return { artifactCount, linkedCount, damaged: damagedOnes };
  }

  visit({ rid, hash, size: recorded }: StockNode, size: number, bytes: Uint8Array | undefined): void {
    if (size !== recorded) this.setSize(rid, size);
    if (bytes !== undefined) {
      // A manifest is needed again to expand its parent, most often the next one in its tree.
      this.repo.content.remember(hash, bytes);
      this.link(rid, bytes, false);
    }
    this.count();
  }

  damaged({ hash }: StockNode, error: RepoError): void {
    this.damagedOnes.push({ hash, error });
  }

  private setSize(rid: Rid, size: number): void {
    this.repo.db.prepare("UPDATE blob SET size=? WHERE rid=?").run(size, rid);
  }

  private link(rid: Rid, bytes: Uint8Array, isChecked: boolean): void {
    if (crosslink(this.context, rid, bytes, isChecked) !== undefined) this.linkedCount++;
    this.expandedBytes += bytes.length;
    if (this.expandedBytes <= COLLECT_EVERY_BYTES) return;
    this.expandedBytes = 0;
    Bun.gc(true);
  }

  private count(): void {
    const { artifactTotal } = this;
    const artifactCount = ++this.artifactCount;
    if (artifactCount % Math.max(1, Math.ceil(artifactTotal / 100)) !== 0) return;
    this.onProgress?.({ artifactCount, artifactTotal });
  }
}

/** Step 5. The first check-in is the oldest ancestor of all: it has a child and no parent. */
function tagMainBranch(repo: Repo, options: Pick<RebuildOptions, "user">): void {
  const { db, config, clock, content } = repo;
  const name = config.get("main-branch") ?? "trunk";
  if (findTagId(db, `sym-${name}`) !== undefined) return;
  const root = db
    .prepare("SELECT pid FROM plink AS x WHERE NOT EXISTS(SELECT 1 FROM plink WHERE cid=x.pid)")
    .value<Rid>();
  if (root === undefined) return;
  const target = content.hashOf(root);
  const date = clock.now();
  const user = options.user();
  const batch = new ReceiveBatch(repo, { user, onWrong: "throw" });
  for (const tag of [{ name: `sym-${name}` }, { name: "branch", value: name }]) {
    const tags = [{ action: "*" as const, target, ...tag }];
    batch.add(formatArtifact({ type: "control", date, tags, user }));
  }
  batch.finish();
}

/** Step 6. */
function reconstructPrivate({ db, content }: Repo): void {
  const privateCheckIns = `SELECT rid FROM tagxref WHERE tagid=${TAG.private} AND tagtype>0`;
  db.exec(`
    INSERT OR IGNORE INTO private(rid)
      SELECT fid FROM mlink WHERE fid>0 EXCEPT SELECT fid FROM mlink WHERE mid NOT IN (${privateCheckIns});
    INSERT OR IGNORE INTO private(rid) ${privateCheckIns};
  `);
  undeltaPublic(db).forEach((rid) => {
    content.undelta(rid);
  });
}

function undeltaPublic(db: Db): Rid[] {
  return db
    .prepare(
      "SELECT rid FROM delta WHERE srcid IN (SELECT rid FROM private) AND rid NOT IN (SELECT rid FROM private)",
    )
    .values<[Rid]>()
    .map(([rid]) => rid);
}
