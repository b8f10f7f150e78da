/**
 * One change of a checkout: tables and files together, or not at all. While `body` runs the lock of the
 * checkout's database is held. When it throws, the tables are as before and the files are put back.
 */
import { guardCase } from "./checkout-case.ts";
import type { Checkout } from "./checkout-db.ts";
import { TreeChange } from "./checkout-tree.ts";
import { DryTreeChange } from "./checkout-tree-dry.ts";
import { RepoError } from "./errors.ts";

export interface ChangeOptions {
  /** Nothing changes: files are not written, and the tables are put back though all went well. */
  readonly dryRun?: boolean;
}

/**
 * @throws what `body` throws; RepoError `case-clash`, `checkout-torn` (data: names) when files could not be put back after that
 */
export function changeTree<T>(
  checkout: Checkout,
  body: (tree: TreeChange) => T,
  { dryRun = false }: ChangeOptions = {},
): T {
  const { root, settings } = checkout;
  if (dryRun) return tryOut(checkout, () => body(new DryTreeChange(root, settings.allowsLinks)));
  const tree = new TreeChange(root, settings.allowsLinks);
  try {
    return checkout.write(() => {
      const checkCase = guardCase(checkout);
      const result = body(tree);
      checkCase();
      return result;
    });
  } catch (error) {
    const torn = tree.rollBack();
    if (torn.length === 0) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw new RepoError(
      "checkout-torn",
      `${message}; and these files could not be put back: ${torn.join(", ")}`,
      {
        hint: "make them writable, then run edgesync repo revert on them",
        cause: error,
        data: { names: torn },
      },
    );
  }
}

/** Ends a transaction that is not to be committed. */
class TriedOut extends Error {
  override name = "TriedOut";
}

function tryOut<T>(checkout: Checkout, body: () => T): T {
  let result: T | undefined;
  try {
    checkout.write(() => {
      result = body();
      throw new TriedOut("not to be committed");
    });
  } catch (error) {
    if (!(error instanceof TriedOut)) throw error;
  }
  return result as T;
}
