/**
 * Files of check-ins named by hand, where case does not count: the setting `case-sensitive`, off by default on Windows and macOS. Then
 * a name that no file has stands for one that differs in the case of ASCII letters, the newest such name first. As in stock.
 */
import type { CliContext } from "./cli-context.ts";
import type { Repo } from "./repo.ts";

/**
 * The spelling of `typed` that is known; itself where none is.
 *
 * @param isKnown whether there is a file of exactly that name
 */
export async function knownSpelling(
  repo: Repo,
  { env }: Pick<CliContext, "env">,
  typed: string,
  isKnown: (name: string) => boolean,
): Promise<string> {
  if (isKnown(typed)) return typed;
  const others = repo.db
    .prepare("SELECT name FROM filename WHERE name=?1 COLLATE nocase AND name!=?1 ORDER BY fnid DESC")
    .values<[string]>(typed)
    .flat();
  if (others.length === 0) return typed;
  // Hardly any command comes here, and those that do not should not load it.
  const [{ caseCounts }, { CheckoutSettings }] = await Promise.all([
    import("./checkout-case.ts"),
    import("./checkout-settings.ts"),
  ]);
  if (caseCounts({ settings: new CheckoutSettings({ repo, env }) })) return typed;
  return others.find(isKnown) ?? typed;
}
