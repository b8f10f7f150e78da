/** `edgesync sync …`: exchanges with one peer. Each command is loaded on its own. */
import { group } from "./cli-command.ts";

export const syncCommand = group({
  description: "exchanges artifacts with a peer",
  examples: [
    { line: "edgesync sync sync", about: "with the remembered remote, both ways" },
    { line: "edgesync sync pull https://example.org/project", about: "only fetch" },
  ],
  subCommands: {
    pull: async () => (await import("./cmd-sync-once.ts")).pullCommand,
    push: async () => (await import("./cmd-sync-once.ts")).pushCommand,
    sync: async () => (await import("./cmd-sync-once.ts")).bothCommand,
  },
});
