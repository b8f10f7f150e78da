/** Gives unchanged files the time of the check-in that brought their content (`--setmtime` of stock). */
import type { Checkout } from "./checkout-db.ts";
import type { TreeChange } from "./checkout-tree.ts";
import { vfileRows } from "./checkout-vfile.ts";
import { fileOrigins, listFiles } from "./repo-files.ts";

/** Within `Checkout.write`. */
export function setTimes(checkout: Checkout, tree: TreeChange): void {
  const { checkIn, repo, db } = checkout;
  if (checkIn === undefined) return;
  const origins = fileOrigins(repo, checkIn, listFiles(repo, checkIn));
  const update = db.prepare("UPDATE vfile SET mtime=? WHERE id=?");
  for (const { id, pathname, chnged } of vfileRows(checkout, checkIn)) {
    const date = origins.get(pathname)?.date;
    if (date === undefined || chnged !== 0) continue;
    const mtimeS = Math.floor(date / 1000);
    tree.setTime(pathname, mtimeS);
    update.run(mtimeS, id);
  }
}
