import { describe, expect, test } from "bun:test";
import { ArgNames } from "../src/cli-args.ts";
import { GLOBAL_ARGS } from "../src/cli-global.ts";
import { helpText, type NamedCommand, subCommands, usageLine } from "../src/cli-help.ts";
import { findCommand, readValues } from "../src/cli-run.ts";
import { rootCommand } from "../src/cli-tree.ts";

async function everyCommand(named: NamedCommand): Promise<NamedCommand[]> {
  const below = await Promise.all((await subCommands(named)).map(everyCommand));
  return [named, ...below.flat()];
}

const COMMANDS = await everyCommand({ path: ["edgesync"], command: rootCommand });

/** Splits a command line of an example: words, and quotes around some. */
function words(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? match[3]!);
}

test("the tree has commands", () => {
  expect(COMMANDS.length).toBeGreaterThan(15);
});

describe.each(COMMANDS.map((named) => [named.path.join(" "), named] as const))("%s", (name, named) => {
  const { command } = named;

  test("help names the command, its options and an example", async () => {
    const help = await helpText(named);
    expect(help).toStartWith(usageLine(named));
    for (const option of new ArgNames(command.args).options.keys()) {
      expect(help.replaceAll("--no-", "--")).toContain(option);
    }
    expect(help).toContain(`  ${command.examples[0]!.line}\n`);
    for (const line of help.split("\n")) expect(line).toBe(line.trimEnd());
  });

  test("a flag that is on is offered as what turns it off", async () => {
    const help = await helpText(named);
    for (const line of help.split("\n").filter((line) => line.startsWith("  --no-"))) {
      expect(line).toMatch(/^ {2}--no-[a-z-]+ +do not [a-z]/);
    }
  });

  test("its description is one sentence without capital or full stop", () => {
    expect(command.meta.description).toMatch(/^[a-z].*[^.]$/);
  });

  test("its options do not shadow those of every command", () => {
    const everywhere = new ArgNames(GLOBAL_ARGS).options;
    expect([...new ArgNames(command.args).options.keys()].filter((option) => everywhere.has(option))).toEqual(
      [],
    );
  });

  test("it does something or has commands that do", () => {
    expect((command.action !== undefined) !== Object.keys(command.subCommands).length > 0).toBe(true);
  });

  test.each(command.examples.map(({ line }) => line))("example: %s", async (line) => {
    const [program, ...rest] = words(line);
    expect(program).toBe("edgesync");
    const found = await findCommand(rest);
    expect(found.command.action).toBeDefined();
    readValues(found, {});
    if (command.action !== undefined) expect(found.path.join(" ")).toBe(name);
  });
});
