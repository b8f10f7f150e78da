/** `edgesync peers`: who else is there, as the running leaf has heard. */
import { command, positional } from "./cli-command.ts";
import { askLeaf } from "./cli-leaf.ts";
import { columns } from "./cli-output.ts";
import { presentRows } from "./cli-present.ts";
import { UsageError } from "./errors.ts";
import type { PresentStatus } from "./leaf-status.ts";
import { STATUS_WAIT_MS } from "./limits.ts";

export const peersCommand = command({
  description: "lists the peers that are there, as the running leaf has heard",
  args: { what: positional({ description: "ls, which is what is done without it, too" }) },
  examples: [{ line: "edgesync peers -R project.fossil", about: "of the leaf of this repository" }],
  run: async ({ what = "ls" }, context) => {
    if (what !== "ls") throw new UsageError("bad-value", `expected ls, got ${JSON.stringify(what)}`);
    const list = (await askLeaf(context, "GET /peers", STATUS_WAIT_MS)) as readonly PresentStatus[];
    if (list.length === 0) context.out.note("no peers are there");
    context.out.result(list, () => columns(presentRows(list).slice(1)));
    return undefined;
  },
});
