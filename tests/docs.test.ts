import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { generatedDocs, readDoc } from "../docs/generate.ts";
import { findCommand, readValues } from "../src/cli-run.ts";

const root = join(import.meta.dir, "..");
const read = (name: string) => readFileSync(join(root, name), "utf8");

test.each([...(await generatedDocs())])("docs/%s is what npm run docs would write", (name, content) => {
  expect(readDoc(name)).toBe(content);
});

/** Command lines as they stand in a text, after `prefix`. */
function commandLines(text: string, prefix: RegExp): string[] {
  return [...text.matchAll(prefix)].map((match) => match[1]!);
}

describe("command lines that users copy are accepted", () => {
  const lines = [
    ...commandLines(read("README.md"), /^ {4}(?:\S*\/)?edgesync\S* (.*)$/gm),
    ...commandLines(read("deploy/systemd/edgesync@.service"), /^ExecStart=\S+ (.*)$/gm),
  ];

  test("there are some", () => {
    expect(lines.length).toBeGreaterThan(5);
  });

  test.each(lines)("edgesync %s", async (line) => {
    const words = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2]!);
    const found = await findCommand(words);
    if (words[0] === "--version") return;
    expect(found.command.action).toBeDefined();
    readValues(found, {});
  });
});

test("the scripts that the readme names are those of package.json", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const named = [...read("README.md").matchAll(/npm (?:run )?([a-z]+)/g)].map((match) => match[1]!);
  for (const name of new Set(named)) expect(Object.keys(scripts)).toContain(name);
});

test("no file names a package registry", () => {
  for (const name of ["bun.lock", "package.json", "bunfig.toml", ".npmrc"]) {
    expect(read(name)).not.toMatch(/https?:\/\//);
  }
});
