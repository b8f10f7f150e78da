/**
 * One change of a checkout: tables and files together, or not at all. While `body` runs the lock of the
 * checkout's database is held. When it throws, the tables are as before and the files are put back.
 */
import type { Checkout } from "./checkout-db.ts";
import { TreeChange } from "./checkout-tree.ts";
import { RepoError } from "./errors.ts";

/**
 * @throws what `body` throws; RepoError `checkout-torn` (data: names) when files could not be put back after that
 */
export function changeTree<T>(checkout: Checkout, body: (tree: TreeChange) => T): T {
  const tree = new TreeChange(checkout.root, checkout.settings.allowsLinks);
  try {
    return checkout.write(() => body(tree));
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
