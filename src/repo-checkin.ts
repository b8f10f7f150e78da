/**
 * Check-ins without a working tree: files in, manifest out. Everything that stock's commit does to the
 * repository, in one write transaction, so that a check-in is there whole or not at all:
 *
 *   1. find the place: parent, branch, what may be named; refuse what must not be (`repo-checkin-place.ts`);
 *   2. plan the files (`repo-checkin-tree.ts`), store new content, compute the R card (`repo-checksum.ts`);
 *   3. make the manifest (`repo-checkin-manifest.ts`), full or delta, and store it;
 *   4. crosslink, and store what is older as deltas of what is newer (`repo-receive.ts`).
 *
 * Settings of the repository: `repo-cksum` (on) writes the R card, which reads every file; a tree with a shunned
 * file whose content is gone gets none. Others: `forbid-delta-manifests` (on, as in Fossil 2.29) and `seen-delta-manifest`; `dont-commit`.
 */
import { formatArtifact } from "./artifact-format.ts";
import type { CheckIn, FileEntry } from "./artifact-types.ts";
import { RepoError } from "./errors.ts";
import { type Hash, md5Hex } from "./hash.ts";
import type { EpochMs } from "./julian.ts";
import type { Repo } from "./repo.ts";
import { branchOf } from "./repo-branch.ts";
import {
  deltaManifest,
  deltaPays,
  fullManifest,
  type ManifestParts,
  type NewBranch,
} from "./repo-checkin-manifest.ts";
import { type CheckInRequest, checkRules, findPlace, type Place } from "./repo-checkin-place.ts";
import { hasChildOnBranch, isClosed, refuseEmpty } from "./repo-checkin-rules.ts";
import { checkFolders, type PlannedFile, planTree } from "./repo-checkin-tree.ts";
import { filesChecksum } from "./repo-checksum.ts";
import type { Rid } from "./repo-content.ts";
import { filesOf, type Manifest } from "./repo-manifest.ts";
import { ReceiveBatch } from "./repo-receive.ts";
import { signedManifest } from "./repo-sign.ts";

export interface CheckInResult {
  readonly rid: Rid;
  readonly hash: Hash;
  readonly date: EpochMs;
  readonly branch: string;
  readonly isPrivate: boolean;
  /** The parent has another child on this branch now. */
  readonly isFork: boolean;
  /** All files, sorted, with their hashes. */
  readonly files: readonly FileEntry[];
}

/**
 * Makes a check-in.
 *
 * @throws RepoError `would-fork`, `branch-closed`, `branch-exists`, `parent-younger`, `nothing-changed`,
 *   `delta-forbidden`, `commit-forbidden`, `content-missing`, `signing-failed`; NameError `not-a-checkin`, `no-parent`, and
 *   those of `planTree`; FormatError of `formatArtifact` for a text that no card can hold
 */
export function commit(repo: Repo, request: CheckInRequest): CheckInResult {
  return repo.db.write(() => {
    const date = request.date ?? repo.clock.now();
    const batch = new ReceiveBatch(repo, { user: request.user, onWrong: "throw" });
    const place = findPlace(repo, request, batch.context.manifests);
    const { parent, isPrivate } = place;
    checkRules(repo, request, date, place);
    const before = parent === undefined ? [] : [...filesOf(parent)];
    const plan = planOf(before, request);
    const store = (bytes: Uint8Array) => batch.add(bytes, { isPrivate, isUnsent: true });
    const files = plan.map((file) => toEntry(repo, file, store));
    if (!isPrivate) publish(repo, files, store);
    if (!request.allow?.empty && place.merges.length === 0 && isSameTree(before, files)) refuseEmpty();
    const full = fullManifest(partsOf(repo, request, date, place, files));
    const rid = store(
      signedManifest(formatArtifact(chooseForm(repo, request, parent, full)), request.sign, isPrivate),
    );
    if (parent !== undefined) batch.context.deferDeltify(parent.rid, rid);
    batch.finish();
    const [hash, branch] = [repo.content.hashOf(rid), branchOf(repo, rid)];
    return { rid, hash, date, branch, isPrivate, isFork: hasForked(repo, parent), files };
  });
}

/**
 * The check-in that a new repository begins with, as stock's `fossil new` makes it: no files, branch trunk.
 * Call it in `Repo.create({ initialize })`.
 */
export function addInitialCheckIn(repo: Repo, user: string): Rid {
  return repo.db.write(() => {
    const batch = new ReceiveBatch(repo, { user, onWrong: "throw" });
    const rid = batch.add(formatArtifact(initialCheckIn(user, repo.clock.now())));
    batch.finish();
    return rid;
  });
}

function initialCheckIn(user: string, date: EpochMs): CheckIn {
  return fullManifest({
    comment: "initial empty check-in",
    date,
    files: [],
    parents: [],
    cherrypicks: [],
    filesChecksum: md5Hex(),
    branch: { name: "trunk", inherited: [] },
    tags: [],
    closeSelf: false,
    closeMerged: [],
    user,
  });
}

/** @throws NameError, those of `planTree` */
function planOf(before: readonly FileEntry[], request: CheckInRequest): readonly PlannedFile[] {
  const { tree, edits, wholeTree = false } = request;
  if (tree === undefined) return planTree(before, edits, wholeTree);
  checkFolders(new Map(tree.map((file) => [file.name, file])));
  return tree;
}

/** What a public check-in lists is public from now on, though it came in with a private one. */
function publish(
  { db, content }: Repo,
  files: readonly FileEntry[],
  store: (bytes: Uint8Array) => Rid,
): void {
  if (db.prepare("SELECT 1 FROM private LIMIT 1").value() === undefined) return;
  for (const { hash } of files) {
    const rid = content.ridOf(hash!);
    const bytes = rid !== undefined && content.isPrivate(rid) ? content.get(rid) : undefined;
    if (bytes !== undefined) store(bytes);
  }
}

/** The F card of a planned file; stores its content if that is new. */
function toEntry(repo: Repo, file: PlannedFile, store: (bytes: Uint8Array) => Rid): FileEntry {
  const { name, source, permission, priorName } = file;
  const hash =
    "hash" in source
      ? source.hash
      : repo.content.hashOf(store("content" in source ? source.content : source.read()));
  return priorName === undefined ? { name, hash, permission } : { name, hash, permission, priorName };
}

function isSameTree(before: readonly FileEntry[], after: readonly FileEntry[]): boolean {
  return (
    before.length === after.length &&
    after.every(({ name, hash, permission, priorName }, i) => {
      const old = before[i]!;
      return (
        name === old.name && hash === old.hash && permission === old.permission && priorName === undefined
      );
    })
  );
}

function partsOf(
  repo: Repo,
  request: CheckInRequest,
  date: EpochMs,
  place: Place,
  files: readonly FileEntry[],
): ManifestParts {
  const { comment, user, mimetype, color, tags = [], close = false } = request;
  const { parent, merges, cherrypicks } = place;
  const hashOf = ({ rid }: { readonly rid: Rid }) => repo.content.hashOf(rid);
  const closing = merges.filter(
    ({ rid, close }) => close && !hasChildOnBranch(repo, rid) && !isClosed(repo, rid),
  );
  const branch = branchParts(repo, request, place);
  const isSummed =
    (parent === undefined || repo.config.isOn("repo-cksum", true)) && !hasLostFile(repo, files);
  return {
    comment,
    date,
    files,
    parents: [...new Set([...(parent === undefined ? [] : [parent]), ...merges].map(hashOf))],
    cherrypicks: cherrypicks.map(({ rid, backout }) => ({ backout, from: repo.content.hashOf(rid) })),
    tags,
    closeSelf: close,
    closeMerged: closing.map(hashOf),
    user,
    ...(mimetype !== undefined && { mimetype }),
    ...(color !== undefined && { color }),
    ...(branch !== undefined && { branch }),
    ...(isSummed && { filesChecksum: filesChecksum(repo.content, files, request.knownContent) }),
  };
}

/** Whether a file is shunned and its content gone: nobody can sum such a tree, nor get the content from a peer. */
function hasLostFile({ content }: Repo, files: readonly FileEntry[]): boolean {
  return files.some(({ hash }) => content.isShunned(hash!) && content.getByHash(hash!) === undefined);
}

function branchParts(repo: Repo, { branchColor }: CheckInRequest, place: Place): NewBranch | undefined {
  const { parent, newBranch } = place;
  if (newBranch === undefined) return undefined;
  const inherited = repo.db
    .prepare(
      `SELECT tagname FROM tagxref JOIN tag USING(tagid)
       WHERE rid=? AND tagtype=2 AND tagname GLOB 'sym-*' ORDER BY tagname`,
    )
    .values<[string]>(parent?.rid ?? 0)
    .flat();
  return { name: newBranch, inherited, ...(branchColor !== undefined && { color: branchColor }) };
}

/** The manifest in the form it is to be stored in. */
function chooseForm(
  repo: Repo,
  { delta: wish = "auto" }: CheckInRequest,
  parent: Manifest | undefined,
  full: CheckIn,
): CheckIn {
  if (wish === "never") return full;
  const isForbidden = repo.config.isOn("forbid-delta-manifests", true);
  if (wish === "always" && (isForbidden || parent === undefined)) {
    throw new RepoError(
      "delta-forbidden",
      isForbidden ? "delta manifests are forbidden in this repository" : "a first check-in has no baseline",
      { hint: isForbidden ? "turn the setting forbid-delta-manifests off" : "make a full manifest" },
    );
  }
  if (parent === undefined) return full;
  if (wish === "auto" && (isForbidden || !repo.config.isOn("seen-delta-manifest", false))) return full;
  const baseline = repo.content.hashOf(parent.baseRid ?? parent.rid);
  const delta = deltaManifest(full, baseline, parent.baseFiles ?? parent.files);
  return wish === "always" || deltaPays(full, delta) ? delta : full;
}

function hasForked(repo: Repo, parent: Manifest | undefined): boolean {
  if (parent === undefined) return false;
  const [count] = repo.db
    .prepare(
      `SELECT count(*) FROM plink WHERE pid=?1 AND isprim
       AND coalesce((SELECT value FROM tagxref WHERE tagid=8 AND rid=?1),'trunk')
         = coalesce((SELECT value FROM tagxref WHERE tagid=8 AND rid=plink.cid),'trunk')`,
    )
    .values<[number]>(parent.rid)[0]!;
  return count > 1;
}
