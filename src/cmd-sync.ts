/** `edgesync sync …`: exchanges with peers, by a leaf or at once. Each command is loaded on its own. */
import { group } from "./cli-command.ts";

export const syncCommand = group({
  description: "exchanges artifacts with peers",
  examples: [
    { line: "edgesync sync sync", about: "with the remembered remote, both ways" },
    { line: "edgesync sync pull https://example.org/project", about: "only fetch" },
  ],
  subCommands: {
    start: async () => (await import("./cmd-leaf.ts")).leafCommandAs("edgesync sync start"),
    now: async () => (await import("./cmd-sync-now.ts")).nowCommand,
    status: async () => (await import("./cmd-status.ts")).statusCommandAs("edgesync sync status"),
    pull: async () => (await import("./cmd-sync-once.ts")).pullCommand,
    push: async () => (await import("./cmd-sync-once.ts")).pushCommand,
    sync: async () => (await import("./cmd-sync-once.ts")).bothCommand,
  },
});
