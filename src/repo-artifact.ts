/** Reads one stored artifact and takes it apart, provided it is of the kind asked for. */
import { parseArtifact } from "./artifact-parse.ts";
import type { Artifact, ArtifactType } from "./artifact-types.ts";
import { FormatError, LimitError } from "./errors.ts";
import type { Content, Rid } from "./repo-content.ts";

/** Artifact `rid`; `undefined` when its content is not available or it is of another type. */
export function readArtifact<T extends ArtifactType>(
  content: Content,
  rid: Rid,
  type: T,
): Extract<Artifact, { type: T }> | undefined {
  const bytes = content.get(rid);
  if (bytes === undefined) return undefined;
  try {
    const artifact = parseArtifact(bytes);
    return artifact.type === type ? (artifact as Extract<Artifact, { type: T }>) : undefined;
  } catch (error) {
    if (error instanceof FormatError || error instanceof LimitError) return undefined;
    throw error;
  }
}
