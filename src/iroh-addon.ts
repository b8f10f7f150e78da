/**
 * The door to iroh's native addon. It costs most of a cold start, so it is loaded when first needed; and a
 * build may be without it, which is an answer here and no crash.
 */
import { EdgeSyncError } from "./errors.ts";

export type Iroh = typeof import("@number0/iroh");

/** @throws EdgeSyncError `no-iroh` when this build or this platform has no addon that loads */
export async function loadIroh(): Promise<Iroh> {
  try {
    return await import("@number0/iroh");
  } catch (cause) {
    throw new EdgeSyncError("no-iroh", "this edgesync has no iroh that loads on this machine", {
      hint: "use a build with iroh for this platform; edgesync --version names what is built in",
      cause,
    });
  }
}
