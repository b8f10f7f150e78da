/**
 * Which cards each type of artifact may and must have, and which card makes an artifact of that type.
 * Source: fossil-facts F and Fossil `www/fileformat.wiki`; where they differ the binaries are followed
 * (a check-in needs only D and Z: old ones lack C, U, P or R).
 *
 * Cards come in ascending order of their letters, except that an N card of a technote may follow its P
 * card (Fossil wrote them so before 2021).
 */
import type { ArtifactType } from "./artifact-types.ts";

export interface CardRule {
  /** Letters that may occur. */
  readonly permitted: string;
  /** Letters that must occur. */
  readonly required: string;
  /** Letters that occur in no other type: one of them decides the type. */
  readonly deciding: string;
}

/**
 * When no deciding card occurs: a check-in if there is a comment, a file or a parent, else a control
 * artifact. F and T have no deciding role because a skipped F card counts for nothing, and T cards occur
 * in three types.
 */
export const CARD_RULES: Readonly<Record<ArtifactType, CardRule>> = {
  "check-in": { permitted: "BCDFNPQRTUZ", required: "DZ", deciding: "BQR" },
  cluster: { permitted: "MZ", required: "MZ", deciding: "M" },
  control: { permitted: "DTUZ", required: "DTUZ", deciding: "" },
  wiki: { permitted: "CDLNPUWZ", required: "DLUWZ", deciding: "L" },
  ticket: { permitted: "DJKUZ", required: "DJKUZ", deciding: "JK" },
  attachment: { permitted: "ACDNUZ", required: "ADZ", deciding: "A" },
  technote: { permitted: "CDENPTUWZ", required: "DEWZ", deciding: "E" },
  forum: { permitted: "DGHINPUWZ", required: "DUWZ", deciding: "GHI" },
};

/** The type that a letter decides. */
export const TYPE_BY_LETTER: ReadonlyMap<string, ArtifactType> = new Map(
  (Object.keys(CARD_RULES) as ArtifactType[]).flatMap((type) =>
    Array.from(CARD_RULES[type].deciding, (letter) => [letter, type] as const),
  ),
);
