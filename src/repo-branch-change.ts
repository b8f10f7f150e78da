/**
 * Branches made, closed and opened again without a checkout (Fossil `src/branch.c`), and their list.
 *
 * A new branch begins with a check-in that is its parent's manifest, in the same form, with the tags of the branch; all
 * symbolic names of the parent are cancelled there. A leaf is closed by the tag `closed`, and opened by cancelling it.
 */
import { formatArtifact } from "./artifact-format.ts";
import type { CheckIn, TagEntry } from "./artifact-types.ts";
import { NameError, RepoError } from "./errors.ts";
import type { Hash } from "./hash.ts";
import { type EpochMs, fromJulian } from "./julian.ts";
import type { Repo } from "./repo.ts";
import { readArtifact } from "./repo-artifact.ts";
import { hasChildOnBranch, isClosed, refuseOpenBranch } from "./repo-checkin-rules.ts";
import type { Rid } from "./repo-content.ts";
import { addControl, type MadeControl, type Signature } from "./repo-control.ts";
import { ReceiveBatch } from "./repo-receive.ts";
import { type Signer, signedManifest } from "./repo-sign.ts";

export interface Branch {
  readonly name: string;
  /** Of its newest check-in. */
  readonly date: EpochMs;
  readonly checkInCount: number;
  readonly isClosed: boolean;
  readonly isPrivate: boolean;
}

/** All branches, in order of their names without regard to the case of ASCII letters. */
export function branches(repo: Repo): Branch[] {
  const rows = repo.db
    .prepare(
      `SELECT x.value, max(e.mtime), count(*),
         EXISTS(SELECT 1 FROM tagxref c WHERE c.rid=x.rid AND c.tagid=9 AND c.tagtype>0),
         EXISTS(SELECT 1 FROM private WHERE rid=x.rid)
       FROM tagxref x JOIN event e ON e.objid=x.rid WHERE x.tagid=8 AND x.tagtype>0
       GROUP BY 1 ORDER BY 1 COLLATE nocase`,
    )
    .values<[string, number, number, number, number]>();
  return rows.map(([name, mtime, checkInCount, closed, isPrivate]) => ({
    name,
    date: fromJulian(mtime),
    checkInCount,
    isClosed: closed === 1,
    isPrivate: isPrivate === 1,
  }));
}

export interface NewBranchRequest extends Signature {
  readonly name: string;
  readonly basis: Rid;
  readonly color?: string;
  readonly isPrivate?: boolean;
  /** Puts a signature around the manifest. Not asked to sign a private one. */
  readonly sign?: Signer;
}

/**
 * Begins a branch at check-in `basis`.
 *
 * @returns hash of its first check-in
 * @throws RepoError `branch-exists`, `content-missing`, `signing-failed`; NameError `branch-name`
 */
export function newBranch(repo: Repo, request: NewBranchRequest): Hash {
  const { name, basis, user } = request;
  if (name === "") throw new NameError("branch-name", "the name of a branch cannot be empty");
  return repo.db.write(() => {
    refuseOpenBranch(repo, name);
    const parent = readArtifact(repo.content, basis, "check-in");
    if (parent === undefined) {
      throw new RepoError("content-missing", `check-in ${repo.content.hashOf(basis)} is not here in full`, {
        hint: "sync with a peer that has it",
      });
    }
    const batch = new ReceiveBatch(repo, { user, onWrong: "throw" });
    const isPrivate = request.isPrivate || repo.content.isPrivate(basis);
    const manifest = formatArtifact(firstCheckIn(repo, parent, request));
    const rid = batch.add(signedManifest(manifest, request.sign, isPrivate), { isPrivate, isUnsent: true });
    batch.context.deferDeltify(basis, rid);
    batch.finish();
    return repo.content.hashOf(rid);
  });
}

function firstCheckIn(repo: Repo, parent: CheckIn, request: NewBranchRequest): CheckIn {
  const { name, basis, color, user, date } = request;
  const { baseline, filesChecksum } = parent;
  const own = (action: TagEntry["action"], tag: string, value?: string): TagEntry => ({
    action,
    name: tag,
    target: undefined,
    ...(value !== undefined && { value }),
  });
  const names = repo.db
    .prepare(
      `SELECT tagname FROM tagxref JOIN tag USING(tagid) WHERE rid=? AND tagtype>0 AND tagname GLOB 'sym-*'`,
    )
    .values<[string]>(basis)
    .flat();
  return {
    type: "check-in",
    ...(baseline !== undefined && { baseline }),
    comment: `Create new branch named "${escapeHtml(name)}"`,
    date: date ?? repo.clock.now(),
    files: parent.files.map(({ priorName: _, ...file }) => file),
    parents: [repo.content.hashOf(basis)],
    cherrypicks: [],
    ...(filesChecksum !== undefined && { filesChecksum }),
    tags: [
      ...(color === undefined ? [] : [own("*", "bgcolor", color)]),
      own("*", "branch", name),
      own("*", `sym-${name}`),
      ...names.map((tag) => own("-", tag)),
    ],
    user,
  };
}

const HTML: Readonly<Record<string, string>> = {
  "<": "&lt;",
  ">": "&gt;",
  "&": "&amp;",
  '"': "&quot;",
  "'": "&#39;",
};
const escapeHtml = (text: string) => text.replace(/[<>&"']/g, (c) => HTML[c]!);

export interface BranchChange {
  /** Undefined when every check-in was left out. */
  readonly control: MadeControl | undefined;
  readonly changed: readonly Hash[];
  readonly skipped: readonly { readonly hash: Hash; readonly why: string }[];
}

/** Closes leaves, or opens them again; what is no leaf, or is so already, is left out. */
export function changeClosed(
  repo: Repo,
  leaves: readonly Rid[],
  close: boolean,
  by: Signature,
): BranchChange {
  return repo.db.write(() => {
    const changed: Rid[] = [];
    const skipped: { hash: Hash; why: string }[] = [];
    for (const rid of new Set(leaves)) {
      const wasClosed = isClosed(repo, rid);
      if (!hasChildOnBranch(repo, rid) && wasClosed !== close) changed.push(rid);
      else {
        const why = wasClosed === close ? (close ? "closed already" : "not closed") : "no leaf";
        skipped.push({ hash: repo.content.hashOf(rid), why });
      }
    }
    const hashes = changed.map((rid) => repo.content.hashOf(rid));
    const action = close ? "+" : "-";
    const tags = hashes.map((target) => ({ action, name: "closed", target }) as const);
    const isPrivate = changed.some((rid) => repo.content.isPrivate(rid));
    const control = tags.length === 0 ? undefined : addControl(repo, by, tags, { isPrivate });
    return { control, changed: hashes, skipped };
  });
}
