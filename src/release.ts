/**
 * What this build is: facts that `build.ts` writes into the executable. Run from source they are absent,
 * and the version reads `0.0.0-source`.
 */
declare const EDGESYNC_BUILD: Partial<Release> | undefined;

export interface Release {
  /** Semantic version, from package.json. */
  readonly version: string;
  /** Full commit hash, with `+` behind it when the tree held uncommitted changes; `unknown` outside a checkout. */
  readonly commit: string;
  /** `YYYY-MM-DDTHH:MM:SSZ`: of the commit, or of SOURCE_DATE_EPOCH, so that builds can be reproduced. */
  readonly date: string;
  /** Version of the iroh addon built in, or the empty string: "without iroh". */
  readonly iroh: string;
}

const SOURCE: Release = { version: "0.0.0-source", commit: "unknown", date: "unknown", iroh: "" };

export const release: Release =
  typeof EDGESYNC_BUILD === "undefined" ? SOURCE : { ...SOURCE, ...EDGESYNC_BUILD };
