/**
 * How an artifact travels in a `file` card: whole, or as a delta of another that the receiver is likely to
 * have. A public artifact never travels as a delta of a private one. Rules: fossil-facts B, E.
 */
import { createDelta } from "./delta-encode.ts";
import type { Hash } from "./hash.ts";
import { ARTIFACT_MAX_BYTES } from "./limits.ts";
import type { Repo } from "./repo.ts";
import type { Rid } from "./repo-content.ts";
import { earlierVersion } from "./repo-serve.ts";
import { unpackBlob } from "./zlib.ts";

/** Smaller artifacts are sent whole, in bytes. */
const DELTA_MIN_BYTES = 100;
/** A delta has to save at least this much, in bytes. */
const DELTA_SAVING_MIN_BYTES = 50;

/** The payload of a `file` card: the artifact, or a delta of `source`. */
export interface ArtifactForm {
  readonly content: Uint8Array;
  readonly source?: Hash;
}

export interface FormOptions {
  readonly isPrivate: boolean;
  /** `stored`: as the delta it is stored as. `parent`: as a delta of an earlier version. Default `parent`. */
  readonly choice?: "stored" | "parent" | "whole";
  /** Sources that must not be named to this receiver. */
  readonly mayName?: (source: Hash) => boolean;
}

/** `undefined` when the artifact cannot be expanded here. */
export function chooseForm(repo: Repo, rid: Rid, options: FormOptions): ArtifactForm | undefined {
  if (options.choice === "stored") {
    const stored = storedDelta(repo, rid, options);
    if (stored !== undefined) return stored;
  }
  const content = repo.content.get(rid);
  if (content === undefined) return undefined;
  const delta =
    (options.choice ?? "parent") === "parent" ? parentDelta(repo, rid, content, options) : undefined;
  return delta ?? { content };
}

function storedDelta(repo: Repo, rid: Rid, options: FormOptions): ArtifactForm | undefined {
  const stored = repo.content.stored(rid);
  if (stored?.source === undefined) return undefined;
  const source = usableSource(repo, stored.source, options);
  return source && { source, content: unpackBlob(stored.bytes, ARTIFACT_MAX_BYTES) };
}

function parentDelta(
  repo: Repo,
  rid: Rid,
  content: Uint8Array,
  options: FormOptions,
): ArtifactForm | undefined {
  if (content.length <= DELTA_MIN_BYTES) return undefined;
  const parent = earlierVersion(repo.db, rid);
  if (parent === undefined || parent === rid) return undefined;
  const source = usableSource(repo, parent, options);
  if (source === undefined) return undefined;
  const text = repo.content.get(parent);
  if (text === undefined) return undefined;
  const delta = createDelta(text, content);
  return delta.length < content.length - DELTA_SAVING_MIN_BYTES ? { source, content: delta } : undefined;
}

function usableSource(repo: Repo, source: Rid, { isPrivate, mayName }: FormOptions): Hash | undefined {
  const { content } = repo;
  if (!isPrivate && content.isPrivate(source)) return undefined;
  const hash = content.hashOf(source);
  return content.isShunned(hash) || mayName?.(hash) === false ? undefined : hash;
}
