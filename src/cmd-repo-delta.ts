/** `edgesync repo delta`: what turns one file into another, in Fossil's delta format. No repository is needed. */
import { command, group, option, positional, text } from "./cli-command.ts";
import { readInput, writeOutput } from "./cli-content.ts";
import { applyDelta } from "./delta-decode.ts";
import { createDelta } from "./delta-encode.ts";
import { ARTIFACT_MAX_BYTES } from "./limits.ts";

export const deltaCommand = group({
  description: "makes and applies deltas between files",
  examples: [{ line: "edgesync repo delta create old.txt new.txt -o d", about: "what turns old into new" }],
  subCommands: {
    create: () => createCommand,
    apply: () => applyCommand,
  },
});

const sourceArg = positional({
  description: "the file the delta starts from; - is standard input",
  required: true,
});
const outputArg = option({ description: "write to this file", valueHint: "FILE", alias: ["o"] }, text);

const createCommand = command({
  description: "prints the delta that turns one file into another",
  args: {
    source: sourceArg,
    target: positional({ description: "the file to arrive at", required: true }),
    output: outputArg,
  },
  examples: [{ line: "edgesync repo delta create old.txt new.txt -o d", about: "into a file" }],
  run: async ({ source, target, output }, context) => {
    const delta = createDelta(readInput(source, context), readInput(target, context));
    writeOutput(delta, output, context);
  },
});

const applyCommand = command({
  description: "prints what a delta makes of a file",
  args: {
    source: sourceArg,
    delta: positional({ description: "the file that holds the delta", required: true }),
    output: outputArg,
  },
  examples: [{ line: "edgesync repo delta apply old.txt d", about: "the new text" }],
  run: async ({ source, delta, output }, context) => {
    const target = applyDelta(readInput(source, context), readInput(delta, context), ARTIFACT_MAX_BYTES);
    writeOutput(target, output, context);
  },
});
