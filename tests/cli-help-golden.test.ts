/**
 * How help looks, to the byte: a group, and commands with every kind of argument. What the texts of all commands say is in
 * docs/commands.md, which a test keeps current. `UPDATE_GOLDEN=1` writes the file anew.
 */
import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cli } from "./cli-process.ts";

const FILE = join(import.meta.dir, "golden", "help.txt");
const SHOWN = ["completion", "repo private", "repo zip", "repo schema add", "repo search", "repo invite"];

test("help is printed as it was", async () => {
  const pages: string[] = [];
  for (const command of SHOWN) {
    const { code, stdout, stderr } = await cli([...command.split(" "), "--help"]);
    expect([code, stderr]).toEqual([0, ""]);
    pages.push(`==== ${command}\n${stdout}`);
  }
  const printed = pages.join("\n");
  if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(FILE, printed);
  expect(printed).toBe(readFileSync(FILE, "utf8"));
});
