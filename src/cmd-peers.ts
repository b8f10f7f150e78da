/** `edgesync peers`: who else is there, as the running leaf has heard, and which iroh endpoints may connect to it. */
import { command, positional } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { askLeaf } from "./cli-leaf.ts";
import { columns } from "./cli-output.ts";
import { presentRows } from "./cli-present.ts";
import { withRepository } from "./cli-repository.ts";
import { EdgeSyncError, UsageError } from "./errors.ts";
import type { LeafStatus, PresentStatus } from "./leaf-status.ts";
import { STATUS_WAIT_MS } from "./limits.ts";
import { allowEndpoint, allowedEndpoints, denyEndpoint } from "./repo-endpoint.ts";

export const peersCommand = command({
  description:
    "lists the peers that are there, as the running leaf has heard; says which iroh endpoints may connect",
  args: {
    what: positional({
      description:
        "ls, as without it; ticket, that of the leaf; allow or deny an endpoint; allowed, the list",
    }),
    id: positional({ description: "with allow and deny: the endpoint's id, or its ticket" }),
  },
  examples: [
    { line: "edgesync peers -R project.fossil", about: "of the leaf of this repository" },
    { line: "edgesync peers ticket", about: "what others need to connect to the leaf over iroh" },
    { line: "edgesync peers allow ID", about: "let an endpoint connect, also to a leaf that runs" },
  ],
  run: async ({ what = "ls", id }, context) => {
    const needsId = what === "allow" || what === "deny";
    if (needsId !== (id !== undefined)) {
      throw new UsageError("bad-value", `edgesync peers ${what} ${needsId ? "needs an ID" : "takes no ID"}`);
    }
    if (what === "ls") await list(context);
    else if (what === "ticket") await tellTicket(context);
    else if (what === "allow") await allow(id!, context);
    else if (what === "deny") await deny(id!, context);
    else if (what === "allowed") await listAllowed(context);
    else
      throw new UsageError(
        "bad-value",
        `expected ls, ticket, allow, deny or allowed, got ${JSON.stringify(what)}`,
      );
    return undefined;
  },
});

async function list(context: CliContext): Promise<void> {
  const present = (await askLeaf(context, "GET /peers", STATUS_WAIT_MS)) as readonly PresentStatus[];
  if (present.length === 0) context.out.note("no peers are there");
  context.out.result(present, () => columns(presentRows(present).slice(1)));
}

async function tellTicket(context: CliContext): Promise<void> {
  const { iroh } = (await askLeaf(context, "GET /status", STATUS_WAIT_MS)) as LeafStatus;
  if (iroh === null) {
    throw new EdgeSyncError("no-ticket", "the running leaf is not on iroh", { hint: "start it with --iroh" });
  }
  const { id, ticket } = iroh;
  context.out.result({ id, ticket }, () => `${ticket}\n`);
}

async function allow(written: string, context: CliContext): Promise<void> {
  const id = await endpointId(written);
  const isNew = await withRepository(context, "write", async ({ repo }) => allowEndpoint(repo, id));
  context.out.result({ id, changed: isNew }, () => `${isNew ? "allowed" : "was allowed before:"} ${id}\n`);
}

async function deny(written: string, context: CliContext): Promise<void> {
  const id = await endpointId(written);
  const wasThere = await withRepository(context, "write", async ({ repo }) => denyEndpoint(repo, id));
  await recheck(context);
  context.out.result({ id, changed: wasThere }, () => `${wasThere ? "denied" : "was not allowed:"} ${id}\n`);
}

async function listAllowed(context: CliContext): Promise<void> {
  const ids = await withRepository(context, "read", async ({ repo }) => allowedEndpoints(repo));
  context.out.result(ids, () => ids.map((id) => `${id}\n`).join(""));
}

/** Has a leaf that runs cut off who is no longer allowed. */
async function recheck(context: CliContext): Promise<void> {
  try {
    await askLeaf(context, "POST /recheck", STATUS_WAIT_MS);
  } catch (error) {
    if (!(error instanceof EdgeSyncError) || error.code !== "no-leaf") throw error;
  }
}

async function endpointId(written: string): Promise<string> {
  const [{ loadIroh }, { parseEndpoint }] = await Promise.all([
    import("./iroh-addon.ts"),
    import("./iroh-address.ts"),
  ]);
  return parseEndpoint(await loadIroh(), written)
    .id()
    .toString();
}
