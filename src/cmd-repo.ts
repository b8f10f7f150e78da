/** `edgesync repo …`: everything that is done to one repository file. Each command is loaded on its own. */
import { group } from "./cli-command.ts";

export const repoCommand = group({
  description: "works on one repository file",
  examples: [
    { line: "edgesync repo new project.fossil", about: "make a repository" },
    { line: "edgesync repo timeline -R project.fossil", about: "see what happened in it" },
  ],
  subCommands: {
    new: async () => (await import("./cmd-repo-new.ts")).newCommand,
    clone: async () => (await import("./cmd-repo-clone.ts")).cloneCommand,
    info: async () => (await import("./cmd-repo-info.ts")).infoCommand,
    timeline: async () => (await import("./cmd-repo-timeline.ts")).timelineCommand,
    ls: async () => (await import("./cmd-repo-files.ts")).lsCommand,
    resolve: async () => (await import("./cmd-repo-resolve.ts")).resolveCommand,
    finfo: async () => (await import("./cmd-repo-finfo.ts")).finfoCommand,
    descendants: async () => (await import("./cmd-repo-descendants.ts")).descendantsCommand,
    cat: async () => (await import("./cmd-repo-files.ts")).catCommand,
    ci: async () => (await import("./cmd-repo-ci.ts")).ciCommand,
    verify: async () => (await import("./cmd-repo-verify.ts")).verifyCommand,
    rebuild: async () => (await import("./cmd-repo-rebuild.ts")).rebuildCommand,
    backup: async () => (await import("./cmd-repo-backup.ts")).backupCommand,
    serve: async () => (await import("./cmd-leaf.ts")).serveCommand,
    config: async () => (await import("./cmd-repo-config.ts")).configCommand,
    user: async () => (await import("./cmd-repo-user.ts")).userCommand,
    uv: async () => (await import("./cmd-repo-uv.ts")).uvCommand,
    branch: async () => (await import("./cmd-repo-branch.ts")).branchCommand,
    tag: async () => (await import("./cmd-repo-tag.ts")).tagCommand,
    amend: async () => (await import("./cmd-repo-amend.ts")).amendCommand,
    hash: async () => (await import("./cmd-repo-hash.ts")).hashCommand,
    delta: async () => (await import("./cmd-repo-delta.ts")).deltaCommand,
    query: async () => (await import("./cmd-repo-query.ts")).queryCommand,
    shun: async () => (await import("./cmd-repo-shun.ts")).shunCommand,
  },
});
