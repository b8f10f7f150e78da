/**
 * Completion for shells, made from the commands' own declarations: a script that offers the commands of a group, the
 * options of a command, and file names where a command takes them. Which command a line is at is found word by word: a
 * word that is no command there (an option, its value, a file) is passed over.
 */
import { ArgNames } from "./cli-args.ts";
import type { Args } from "./cli-command.ts";
import { DAEMON_ARGS, GLOBAL_ARGS } from "./cli-global.ts";
import { aboutOption, isOn, type NamedCommand, subCommands } from "./cli-help.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** A word that may come next, and what it means. */
interface Candidate {
  readonly word: string;
  readonly about: string;
}

interface Place {
  /** `edgesync repo ls` */
  readonly path: string;
  readonly commands: readonly Candidate[];
  readonly options: readonly Candidate[];
}

/** The script for `shell`, for the tree below `root`. */
export async function completionScript(root: NamedCommand, shell: Shell): Promise<string> {
  const places = await placesOf(root);
  switch (shell) {
    case "bash":
      return bashScript(places);
    case "zsh":
      return zshScript(places);
    case "fish":
      return fishScript(places);
  }
}

async function placesOf(named: NamedCommand): Promise<Place[]> {
  const { path, command } = named;
  const children = await subCommands(named);
  const args: Args = command.daemon ? { ...command.args, ...DAEMON_ARGS } : command.args;
  const place = {
    path: path.join(" "),
    commands: children.map((child) => ({
      word: child.path.at(-1)!,
      about: child.command.meta.description,
    })),
    options: [...candidates(args), ...candidates(GLOBAL_ARGS)],
  };
  const below = await Promise.all(children.map(placesOf));
  return [place, ...below.flat()];
}

function candidates(args: Args): Candidate[] {
  return [...new ArgNames(args).options].map(([word, [, arg]]) => ({
    word: isOn(arg) ? word.replace("--", "--no-") : word,
    about: aboutOption(arg),
  }));
}

/** In single quotes, as bash and zsh read them. */
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
const words = (list: readonly Candidate[]) => list.map(({ word }) => word).join(" ");

function bashScript(places: readonly Place[]): string {
  const known = places.slice(1).map(({ path }) => `      ${quoted(path)}) path+=" $word" ;;\n`);
  const cases = places.map(
    ({ path, commands, options }) =>
      `    ${quoted(path)}) commands=${quoted(words(commands))}; options=${quoted(words(options))} ;;\n`,
  );
  return `# Completion of edgesync for bash: source <(edgesync completion bash)
_edgesync() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" path=edgesync word commands options i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    case "$path $word" in
${known.join("")}    esac
  done
  case "$path" in
${cases.join("")}  esac
  if [[ "$cur" == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$cur"))
  elif [[ -n "$commands" ]]; then
    COMPREPLY=($(compgen -W "$commands" -- "$cur"))
  else
    COMPREPLY=($(compgen -f -- "$cur"))
  fi
}
complete -o filenames -F _edgesync edgesync
`;
}

function zshScript(places: readonly Place[]): string {
  const described = (list: readonly Candidate[]) =>
    list.map(({ word, about }) => quoted(`${word.replaceAll(":", "\\:")}:${about}`)).join(" ");
  const known = places.slice(1).map(({ path }) => `      ${quoted(path)}) place+=" $word" ;;\n`);
  const cases = places.map(
    ({ path, commands, options }) =>
      `    ${quoted(path)})\n      commands=(${described(commands)})\n      options=(${described(options)}) ;;\n`,
  );
  return `#compdef edgesync
# Completion of edgesync for zsh: source <(edgesync completion zsh), or as a file _edgesync in a folder of $fpath
_edgesync() {
  local place=edgesync word
  local -a commands options
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$place $word" in
${known.join("")}    esac
  done
  case "$place" in
${cases.join("")}  esac
  if [[ "$PREFIX" == -* ]]; then
    _describe -o option options
  elif (( \${#commands} )); then
    _describe command commands
  else
    _files
  fi
}
if [[ "$funcstack[1]" == _edgesync ]]; then
  _edgesync "$@"
elif (( $+functions[compdef] )); then
  compdef _edgesync edgesync
fi
`;
}

function fishScript(places: readonly Place[]): string {
  const literal = (text: string) => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const print = (list: readonly Candidate[]) =>
    list.length === 0
      ? "true"
      : `printf '%s\\t%s\\n' ${list.map(({ word, about }) => `${literal(word)} ${literal(about)}`).join(" ")}`;
  const known = places
    .slice(1)
    .map(({ path }) => literal(path))
    .join(" ");
  const cases = places.map(
    ({ path, commands, options }) =>
      `    case ${literal(path)}\n      if string match -q -- '-*' $current; ${print(options)}; else; ${
        commands.length > 0 ? print(commands) : "__fish_complete_path $current"
      }; end\n`,
  );
  return `# Completion of edgesync for fish: edgesync completion fish | source
function __edgesync_complete
  set -l place edgesync
  set -l current (commandline -ct)
  for word in (commandline -opc)[2..-1]
    if contains -- "$place $word" ${known}
      set place "$place $word"
    end
  end
  switch "$place"
${cases.join("")}  end
end
complete -c edgesync -f -a '(__edgesync_complete)'
`;
}
