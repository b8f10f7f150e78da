/** Every command's `--json` against its schema in docs/schemas. `bun tests/json-schema.ts` writes the schemas anew. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { NOT_PLAYED, playScenario } from "./json-scenario.ts";
import { documentsOf, endingCommands, inferSchema, SCHEMA_FOLDER, schemaFile } from "./json-schema.ts";

/** Of these, success has nothing to say. */
const SILENT: ReadonlySet<string> = new Set(["repo bisect reset"]);

const schemaOf = (command: string) =>
  JSON.parse(readFileSync(join(SCHEMA_FOLDER, schemaFile(command)), "utf8"));

test("there is a schema for every command that ends, and for no other", async () => {
  const commands = [...(await endingCommands()).keys()];
  const expected = commands.filter((command) => !(command in NOT_PLAYED) && !SILENT.has(command));
  expect(
    readdirSync(SCHEMA_FOLDER)
      .filter((name) => name.endsWith(".json"))
      .sort(),
  ).toEqual(expected.map(schemaFile).sort());
  expect(Object.keys(NOT_PLAYED).filter((command) => !commands.includes(command))).toEqual([]);
});

test("what commands print is as their schemas say", async () => {
  const documents = documentsOf(await playScenario());
  const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true });
  const wrong: string[] = [];
  for (const [command, samples] of documents) {
    if (samples.length === 0 && SILENT.has(command)) continue;
    const validate = ajv.compile(schemaOf(command));
    expect([command, samples.length > 0]).toEqual([command, true]);
    for (const sample of samples) {
      if (!validate(sample))
        wrong.push(`${command}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(sample)}`);
    }
  }
  expect(wrong).toEqual([]);
  const commands = [...(await endingCommands()).keys()];
  expect(commands.filter((command) => !documents.has(command) && !(command in NOT_PLAYED))).toEqual([]);
}, 60_000);

test("schemas are made from samples", () => {
  const hash = "0".repeat(40);
  expect(
    inferSchema([
      { a: 1, hash, list: [], at: "2026-01-02 03:04:05" },
      { a: 1.5, hash: null, list: ["x"], b: null },
    ]),
  ).toEqual({
    type: "object",
    properties: {
      a: { type: "number" },
      hash: { type: ["string", "null"], pattern: expect.any(String) },
      list: { type: "array", items: { type: "string" } },
      at: { type: "string", pattern: expect.any(String) },
      b: {},
    },
    required: ["a", "hash", "list"],
  });
  expect(inferSchema([{ values: { x: 1 } }])).toMatchObject({
    properties: { values: { type: "object", additionalProperties: true } },
  });
});
