/** The root of the command tree. A group is loaded when a word names it. */
import { type CliCommand, group } from "./cli-command.ts";

export const rootCommand: CliCommand = group({
  description: "replicates Fossil repositories between peers with no central server",
  examples: [
    { line: "edgesync repo new project.fossil", about: "make a repository" },
    { line: "edgesync leaf --repo project.fossil --serve-http", about: "serve it to stock Fossil clients" },
  ],
  subCommands: {
    bridge: async () => (await import("./cmd-bridge.ts")).bridgeCommand,
    completion: async () => (await import("./cmd-completion.ts")).completionCommandOf(() => rootCommand),
    hub: async () => (await import("./cmd-leaf.ts")).hubCommand,
    leaf: async () => (await import("./cmd-leaf.ts")).leafCommandAs("edgesync leaf"),
    peers: async () => (await import("./cmd-peers.ts")).peersCommand,
    repo: async () => (await import("./cmd-repo.ts")).repoCommand,
    status: async () => (await import("./cmd-status.ts")).statusCommandAs("edgesync status"),
    sync: async () => (await import("./cmd-sync.ts")).syncCommand,
  },
});
