/** The check-in that a command means. */
import type { OpenRepository } from "./cli-repository.ts";
import type { Rid } from "./repo-content.ts";
import { resolveName } from "./repo-name.ts";

/** The one named, else the checkout's, else the newest.
 *
 * @throws as `resolveName`
 */
export function checkInOf({ repo, checkout }: OpenRepository, version: string | undefined): Rid {
  const options = { type: "ci", ...(checkout !== undefined && { checkout }) } as const;
  return resolveName(repo, version ?? (checkout === undefined ? "tip" : "current"), options);
}
