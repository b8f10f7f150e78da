/**
 * Where a check-in goes: its parent, its branch, what else it may name; and whether it may go there
 * (`repo-checkin-rules.ts`).
 *
 * Parent, unless given: the tip of the branch asked for if that is open, else of the main branch; the first
 * check-in of a repository has none. Branch: one asked for that is not the parent's is begun; a first
 * check-in begins the main branch; a private check-in on a public parent begins a branch `private`.
 * Children of private check-ins are private. A public check-in forgets private merge parents and
 * cherry-picks, whose names nobody else may learn.
 */
import { NameError, RepoError } from "./errors.ts";
import type { EpochMs } from "./julian.ts";
import type { Repo } from "./repo.ts";
import { branchOf, mainBranch } from "./repo-branch.ts";
import {
  type Allowances,
  openTip,
  refuseClosed,
  refuseFork,
  refuseOlder,
  refuseOpenBranch,
} from "./repo-checkin-rules.ts";
import type { FileEdit, PlannedFile } from "./repo-checkin-tree.ts";
import type { Rid } from "./repo-content.ts";
import { isOrphan, type Manifest, type Manifests } from "./repo-manifest.ts";
import type { Signer } from "./repo-sign.ts";

export interface CheckInRequest {
  readonly edits: readonly FileEdit[];
  /** The edits list every file, instead of changing those of the parent. */
  readonly wholeTree?: boolean;
  /** All files, planned already and in order of their names: the edits do not count. */
  readonly tree?: readonly PlannedFile[];
  /** Content of files as the check-in is going to list them, by name, as far as it is at hand. */
  readonly knownContent?: (name: string) => Uint8Array | undefined;
  readonly comment: string;
  readonly user: string;
  /** The clock's time unless given. */
  readonly date?: EpochMs;
  readonly mimetype?: string;
  /** `none`: the check-in begins a history of its own. */
  readonly parent?: Rid | "none";
  readonly branch?: string;
  readonly branchColor?: string;
  readonly color?: string;
  readonly tags?: readonly string[];
  /** Further parents. `close`: the leaf that is merged is closed. */
  readonly merges?: readonly { readonly rid: Rid; readonly close?: boolean }[];
  readonly cherrypicks?: readonly { readonly rid: Rid; readonly backout: boolean }[];
  /** Closes the branch with this check-in. */
  readonly close?: boolean;
  readonly isPrivate?: boolean;
  /** Puts a signature around the manifest. Not asked to sign a private check-in. */
  readonly sign?: Signer;
  /** `auto`: where stock would. */
  readonly delta?: "auto" | "always" | "never";
  readonly allow?: Allowances;
}

/** What a request comes down to in this repository. */
export interface Place {
  readonly parent: Manifest | undefined;
  readonly isPrivate: boolean;
  /** Name of the branch that this check-in begins. */
  readonly newBranch: string | undefined;
  /** Those that the manifest may name. */
  readonly merges: NonNullable<CheckInRequest["merges"]>;
  readonly cherrypicks: NonNullable<CheckInRequest["cherrypicks"]>;
}

/**
 * @param manifests keeps what is read of the history for what follows
 * @throws NameError `not-a-checkin`, `no-parent`; RepoError `content-missing`
 */
export function findPlace(repo: Repo, request: CheckInRequest, manifests: Manifests): Place {
  const { content } = repo;
  const { parent = defaultParent(repo, request.branch) } = request;
  const rid = parent === "none" ? undefined : parent;
  const isPrivateParent = rid !== undefined && content.isPrivate(rid);
  const isPrivate = isPrivateParent || (request.isPrivate ?? false);
  const mayName = (other: { readonly rid: Rid }) => {
    openManifest(repo, manifests, other.rid);
    return other.rid !== rid && (isPrivate || !content.isPrivate(other.rid));
  };
  return {
    parent: rid === undefined ? undefined : openManifest(repo, manifests, rid),
    isPrivate,
    newBranch: branchToBegin(repo, request, rid, isPrivate && !isPrivateParent),
    merges: (request.merges ?? []).filter(mayName),
    cherrypicks: (request.cherrypicks ?? []).filter(mayName),
  };
}

/** @throws NameError `no-parent` */
function defaultParent(repo: Repo, branch: string | undefined): Rid | undefined {
  const tip = (branch === undefined ? undefined : openTip(repo, branch)) ?? openTip(repo, mainBranch(repo));
  if (tip !== undefined) return tip;
  if (repo.db.prepare("SELECT 1 FROM event WHERE type='ci' LIMIT 1").value() === undefined) return undefined;
  throw new NameError(
    "no-parent",
    `branch ${JSON.stringify(mainBranch(repo))} has no open check-in to go on from`,
    {
      hint: "name the parent check-in",
    },
  );
}

function branchToBegin(
  repo: Repo,
  { branch }: CheckInRequest,
  parent: Rid | undefined,
  isPrivateHere: boolean,
): string | undefined {
  const byDefault = isPrivateHere ? "private" : parent === undefined ? mainBranch(repo) : undefined;
  const name = branch ?? byDefault;
  return parent !== undefined && name === branchOf(repo, parent) ? undefined : name;
}

/** @throws NameError `not-a-checkin`; RepoError `content-missing` */
function openManifest(repo: Repo, manifests: Manifests, rid: Rid): Manifest {
  const opened = manifests.open(rid);
  if (opened !== undefined && !isOrphan(opened)) return opened;
  if (opened === undefined && repo.content.isAvailable(rid)) {
    throw new NameError("not-a-checkin", `artifact ${repo.content.hashOf(rid)} is not a check-in`);
  }
  throw new RepoError("content-missing", `check-in ${repo.content.hashOf(rid)} is not here in full`, {
    hint: "sync with a peer that has it",
  });
}

/** @throws RepoError `commit-forbidden`, and those of `repo-checkin-rules.ts` */
export function checkRules(repo: Repo, { allow = {} }: CheckInRequest, date: EpochMs, place: Place): void {
  const { parent, newBranch, isPrivate, merges } = place;
  if (repo.config.isOn("dont-commit", false)) {
    throw new RepoError("commit-forbidden", "the setting dont-commit of this repository forbids check-ins");
  }
  if (newBranch !== undefined && !allow.branchReuse) refuseOpenBranch(repo, newBranch);
  if (parent === undefined) return;
  if (newBranch === undefined) {
    if (!allow.fork && !isPrivate) refuseFork(repo, parent.rid);
    refuseClosed(repo, parent.rid);
  }
  if (!allow.older) refuseOlder(repo, date, [parent.rid, ...merges.map(({ rid }) => rid)]);
}
