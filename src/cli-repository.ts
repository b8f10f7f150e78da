/**
 * Which repository a command works on: the one named with `-R`, else the open checkout's, else the only
 * `*.fossil` in the folder worked in (`-C`, by default the current one), else an error that says so.
 *
 * What a checkout is: `checkout-place.ts`.
 */
import { existsSync, readdirSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { findCheckout, openDatabase, repositoryOf } from "./checkout-place.ts";
import type { CliContext, GlobalValues } from "./cli-context.ts";
import { RepoError } from "./errors.ts";
import { isHash } from "./hash.ts";
import { Repo } from "./repo.ts";
import type { Rid } from "./repo-content.ts";

/** An open repository and, when the command runs in a checkout of it, the check-in that is checked out. */
export interface OpenRepository {
  readonly repo: Repo;
  readonly checkout: Rid | undefined;
}

type Place = Pick<GlobalValues, "repository" | "checkout">;

/** @throws RepoError `no-repository`, `several-repositories`, `checkout-broken` */
export function findRepository({ repository, checkout }: Place): string {
  return repository ?? readCheckout(checkout)?.repository ?? onlyRepository(checkout);
}

function onlyRepository(checkout: string): string {
  const candidates = repositoriesIn(checkout);
  if (candidates.length === 1) return join(checkout, candidates[0]!);
  if (candidates.length > 1) {
    throw new RepoError("several-repositories", `several repositories here: ${candidates.join(", ")}`, {
      hint: "name one with -R FILE",
    });
  }
  throw new RepoError("no-repository", "no repository: this is no checkout and no *.fossil is here", {
    hint: "name one with -R FILE, or make one with edgesync repo new FILE",
  });
}

/** Opens the command's repository, gives it to `use`, and closes it whatever happens. */
export async function withRepository<T>(
  { globals, clock, random }: CliContext,
  mode: "read" | "write",
  use: (open: OpenRepository) => T | Promise<T>,
): Promise<T> {
  const found = readCheckout(globals.checkout);
  const path = globals.repository ?? found?.repository ?? onlyRepository(globals.checkout);
  const repo = Repo.open(path, { mode, clock, random });
  try {
    return await use({ repo, checkout: found && checkedOut(repo, found) });
  } finally {
    repo.close();
  }
}

interface FoundCheckout {
  readonly repository: string;
  readonly checkIn: string | undefined;
}

/** What the checkout at or above `directory` says of itself. */
function readCheckout(directory: string): FoundCheckout | undefined {
  const place = findCheckout(directory);
  if (place === undefined) return undefined;
  const db = openDatabase(place, "read");
  try {
    const checkIn = db.prepare("SELECT value FROM vvar WHERE name='checkout-hash'").value<string>();
    return { repository: repositoryOf(place, db), checkIn };
  } finally {
    db.close();
  }
}

/** The check-in of the checkout we are in, if that is one of `repo`. */
function checkedOut(repo: Repo, { repository, checkIn }: FoundCheckout): Rid | undefined {
  if (checkIn === undefined || !isHash(checkIn) || !existsSync(repository)) return undefined;
  const isSame = repository === repo.path || realpathSync(repository) === realpathSync(repo.path);
  return isSame ? repo.content.ridOf(checkIn) : undefined;
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
