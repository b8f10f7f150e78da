/**
 * Renames of a merge: files that M renamed and V did not. They may form chains and circles, so all are read before one
 * is written. A file that is at a new name and not renamed itself is overwritten; its row then tells so in its name,
 * which is no file's, as stock has it.
 *
 * Source: Fossil `src/merge.c`.
 */
import type { FilePermission } from "./artifact-types.ts";
import type { Checkout, UndoRecorder } from "./checkout-db.ts";
import { type DiskFile, readDisk } from "./checkout-disk.ts";
import type { TreeChange } from "./checkout-tree.ts";
import type { MergePlan } from "./merge-plan.ts";

/** Within `Checkout.write`. */
export function renameMerged(
  { db, vid }: Checkout,
  renames: MergePlan["rename"],
  tree: TreeChange,
  undo: UndoRecorder | undefined,
): void {
  const moved = renames.flatMap(({ file, from, to }) => {
    undo?.save(from);
    undo?.save(to);
    db.prepare("UPDATE vfile SET origname=pathname, pathname=NULL WHERE vid=? AND pathname=?").run(vid, to);
    db.prepare("UPDATE vfile SET origname=coalesce(origname,pathname), pathname=? WHERE id=?").run(
      to,
      file.current.id,
    );
    const disk = tree.stat(from);
    if (disk === undefined || disk.kind === "other") return [];
    const isExecutable = (file.merged ?? file.current).isexe !== 0;
    return [
      {
        from,
        to,
        content: readDisk(tree.path(from), tree.allowLinks),
        permission: after(disk, isExecutable),
      },
    ];
  });
  db.prepare("UPDATE vfile SET pathname=origname||' (overwritten by rename)' WHERE pathname IS NULL").run();
  for (const { from } of moved) tree.remove(from);
  for (const { to, content, permission } of moved) tree.write(to, content, permission);
}

function after({ kind }: DiskFile, isExecutable: boolean): FilePermission {
  if (kind === "link") return "l";
  return isExecutable ? "x" : "";
}
