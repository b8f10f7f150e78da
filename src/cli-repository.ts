/**
 * Which repository a command works on: the one named with `-R`, else the open checkout's, else the only
 * `*.fossil` in the folder worked in (`-C`, by default the current one), else an error that says so.
 *
 * A checkout is a folder with `.fslckout` (or, on Windows, `_FOSSIL_`) in it or above it: a database whose
 * table `vvar` names the repository, relative to the checkout's top when it is no absolute path.
 */
import { existsSync, readdirSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import type { CliContext, GlobalValues } from "./cli-context.ts";
import { Db } from "./db.ts";
import { RepoError } from "./errors.ts";
import { Repo } from "./repo.ts";

const CHECKOUT_DATABASES = [".fslckout", "_FOSSIL_"];

/**
 * @throws RepoError `no-repository`, `several-repositories`, `checkout-broken`
 */
export function findRepository({
  repository,
  checkout,
}: Pick<GlobalValues, "repository" | "checkout">): string {
  if (repository !== undefined) return repository;
  const top = findCheckout(resolve(checkout));
  if (top !== undefined) return repositoryOfCheckout(top);
  const found = repositoriesIn(checkout);
  if (found.length === 1) return join(checkout, found[0]!);
  if (found.length > 1) {
    throw new RepoError("several-repositories", `several repositories here: ${found.join(", ")}`, {
      hint: "name one with -R FILE",
    });
  }
  throw new RepoError("no-repository", "no repository: this is no checkout and no *.fossil is here", {
    hint: "name one with -R FILE, or make one with edgesync repo new FILE",
  });
}

/** Opens the command's repository, gives it to `use`, and closes it whatever happens. */
export async function withRepository<T>(
  context: CliContext,
  mode: "read" | "write",
  use: (repo: Repo) => T | Promise<T>,
): Promise<T> {
  const { clock, random } = context;
  const repo = Repo.open(findRepository(context.globals), { mode, clock, random });
  try {
    return await use(repo);
  } finally {
    repo.close();
  }
}

/** The nearest folder at or above `directory` that holds a checkout's database: that database's path. */
function findCheckout(directory: string): string | undefined {
  for (let current = directory; ; current = dirname(current)) {
    for (const name of CHECKOUT_DATABASES) {
      if (existsSync(join(current, name))) return join(current, name);
    }
    if (dirname(current) === current) return undefined;
  }
}

function repositoryOfCheckout(database: string): string {
  const db = Db.open(database, { mode: "read" });
  try {
    const path = db.prepare("SELECT value FROM vvar WHERE name='repository'").value<string>();
    if (path === undefined) throw new RepoError("checkout-broken", `${database} names no repository`);
    return isAbsolute(path) ? path : join(dirname(database), path);
  } finally {
    db.close();
  }
}

function repositoriesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith(".fossil"))
      .sort();
  } catch (cause) {
    throw new RepoError("no-repository", `the folder ${directory} cannot be read`, { cause });
  }
}
