/**
 * Manifests with a signature around them. What signs is handed in; what comes back must hold the manifest to the byte, so that a
 * signer gone wrong never makes a check-in that nobody can read.
 */
import { looksLikeArtifact, openCards } from "./artifact-cards.ts";
import { equal } from "./bytes.ts";
import { RepoError } from "./errors.ts";

export type Signer = (manifest: Uint8Array) => Uint8Array;

/** @throws RepoError `signing-failed` when what came back does not hold the manifest; what `sign` throws */
export function signedManifest(
  manifest: Uint8Array,
  sign: Signer | undefined,
  isPrivate: boolean,
): Uint8Array {
  if (sign === undefined || isPrivate) return manifest;
  const wrapped = sign(manifest);
  if (looksLikeArtifact(wrapped) && equal(openCards(wrapped).bytes, manifest)) return wrapped;
  throw new RepoError("signing-failed", "the signed check-in is not what was to be signed");
}
