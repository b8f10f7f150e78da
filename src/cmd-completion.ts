/** `edgesync completion`: scripts that complete command lines in a shell. */
import { type CliCommand, command, group } from "./cli-command.ts";
import { completionScript, SHELLS, type Shell } from "./cli-completion.ts";

const HOW: Readonly<Record<Shell, string>> = {
  bash: "in ~/.bashrc: source <(edgesync completion bash)",
  zsh: "in ~/.zshrc, after compinit: source <(edgesync completion zsh)",
  fish: "as ~/.config/fish/completions/edgesync.fish",
};

function completing(shell: Shell, root: () => CliCommand) {
  return command({
    description: `prints the script for ${shell}`,
    examples: [{ line: `edgesync completion ${shell}`, about: HOW[shell] }],
    run: async (_, { out }) => {
      const script = await completionScript({ path: ["edgesync"], command: root() }, shell);
      out.result({ shell, script }, () => script);
    },
  });
}

/** @param root the tree that is completed, which this command is part of */
export function completionCommandOf(root: () => CliCommand): CliCommand {
  return group({
    description: "prints a script that completes commands and options in a shell",
    examples: [{ line: "edgesync completion bash", about: "the script, on standard output" }],
    subCommands: Object.fromEntries(SHELLS.map((shell) => [shell, () => completing(shell, root)])),
  });
}
