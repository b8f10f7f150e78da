/** Who acts: the login under which a command records what it does. */
import type { CliContext } from "./cli-context.ts";
import { UsageError } from "./errors.ts";
import type { Config } from "./repo-config.ts";

const USER_VARIABLES = ["FOSSIL_USER", "USER", "LOGNAME", "USERNAME"];

/**
 * The one given, else the repository's `default-user`, else the first of `FOSSIL_USER`, `USER`, `LOGNAME`
 * and `USERNAME`: the order of stock.
 *
 * @throws UsageError `no-user`
 */
export function actingUser(given: string | undefined, env: CliContext["env"], config?: Config): string {
  const candidates = [given, config?.get("default-user"), ...USER_VARIABLES.map((name) => env[name])];
  const user = candidates.find((candidate) => candidate !== undefined && candidate !== "");
  if (user === undefined)
    throw new UsageError("no-user", "no user name", { hint: "give one with --user NAME, or set USER" });
  return user;
}
