/**
 * Schemas of what commands print with `--json`, made from what they did print in `json-scenario.ts`. Run this file to
 * write docs/schemas anew; the files are then reviewed like any other.
 *
 * A property is required when every document has it. Where it was null once, it may be null; where it was never anything
 * else, it may be anything. Hashes and times have their pattern. Objects that are maps by name take any names. A reader
 * passes over properties that it does not know.
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { subCommands } from "../src/cli-help.ts";
import { rootCommand } from "../src/cli-tree.ts";
import { type Played, playScenario } from "./json-scenario.ts";

export const SCHEMA_FOLDER = join(import.meta.dir, "..", "docs", "schemas");

/** What JSON Schema says of a value; only what is used here. */
export interface Schema {
  type?: string | string[];
  pattern?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  additionalProperties?: Schema | boolean;
}

/** Properties whose names are data. */
const MAPS: ReadonlySet<string> = new Set(["fields", "values"]);

/** Properties that may be null though no document of the scenario has them so, by command. */
const MAY_BE_NULL: Readonly<Record<string, readonly string[]>> = {
  "repo amend": ["control"],
  "repo attach": ["user"],
  "repo bisect bad": ["next"],
  "repo bisect good": ["next"],
  "repo bisect next": ["next"],
  "repo bisect skip": ["next"],
  "repo bisect undo": ["next"],
  "repo branch close": ["control"],
  "repo branch reopen": ["control"],
  "repo config ls": ["mtime"],
  "repo config set": ["value"],
  "repo conflicts ls": ["version"],
  "repo conflicts show": ["version", "size", "hash"],
  "repo descendants": ["branch"],
  "repo info": ["lastCheckIn"],
  "repo ls": ["size"],
  "repo shun ls": ["comment"],
  "repo technote ls": ["user"],
  "repo technote show": ["user"],
  "repo timeline": ["branch"],
  "repo user add": ["mtime"],
  "repo user ls": ["mtime"],
  "repo user update": ["mtime"],
  status: ["http", "nats", "iroh", "relay", "last", "lastGood", "lastFailed"],
  "sync status": ["http", "nats", "iroh", "relay", "last", "lastGood", "lastFailed"],
  peers: ["last", "lastGood", "lastFailed"],
  "repo verify": ["hash"],
};

/** What lists hold that were empty throughout, by command and the names that lead there. */
const ITEMS: Readonly<Record<string, Readonly<Record<string, Schema>>>> = (() => {
  const text: Schema = { type: "string" };
  const artifact = {
    type: "object",
    properties: { hash: text, problem: text },
    required: ["hash", "problem"],
  };
  const file = { type: "object", properties: { name: text, problem: text }, required: ["name", "problem"] };
  const either = { type: "object", properties: { what: text, problem: text }, required: ["what", "problem"] };
  const once = { refused: artifact, messages: text, "files.refused": file };
  const peers = { refused: either, messages: text };
  return {
    "repo clone": once,
    "sync pull": once,
    "sync push": once,
    "sync sync": once,
    "repo uv sync": { refused: file },
    "sync now": peers,
    status: peers,
    "sync status": peers,
    "repo merge": { notAttempted: text },
  };
})();

/** A list is known by its name, or by its name behind that of the object it is in. */
function withItems(schema: Schema, known: Readonly<Record<string, Schema>>, inside = ""): Schema {
  const { properties, items } = schema;
  const filled = Object.entries(properties ?? {}).map(([name, inner]) => {
    const found = known[`${inside}.${name}`] ?? known[name];
    const isEmpty = inner.type === "array" && inner.items === undefined;
    return [
      name,
      isEmpty && found !== undefined ? { ...inner, items: found } : withItems(inner, known, name),
    ];
  });
  return {
    ...schema,
    ...(properties && { properties: Object.fromEntries(filled) }),
    ...(items && { items: withItems(items, known, inside) }),
  };
}

function allowNull(schema: Schema, names: readonly string[]): Schema {
  const { properties, items } = schema;
  const opened = Object.entries(properties ?? {}).map(([name, inner]) => {
    const below = allowNull(inner, names);
    if (!names.includes(name) || below.type === undefined) return [name, below];
    return [name, { ...below, type: [...new Set([below.type].flat()).add("null")] }];
  });
  return {
    ...schema,
    ...(properties && { properties: Object.fromEntries(opened) }),
    ...(items && { items: allowNull(items, names) }),
  };
}

const HASH = "^([0-9a-f]{40}|[0-9a-f]{64})$";
const TIME = "^\\d{4}-\\d{2}-\\d{2} \\d{2}:\\d{2}:\\d{2}$";

/** The name of a command's file. */
export const schemaFile = (command: string) => `${command.replaceAll(" ", "-")}.json`;

export function inferSchema(samples: readonly unknown[], name = ""): Schema {
  const values = samples.filter((value) => value !== null);
  const isNullable = values.length < samples.length;
  if (values.length === 0) return {};
  const types = [...new Set(values.map(typeOf))].sort();
  // Milliseconds may have a fraction.
  if (types[0] === "integer" && name.endsWith("Ms")) types[0] = "number";
  const numbers = types.filter((type) => type === "integer" || type === "number");
  const type = numbers.length === 2 ? types.filter((one) => one !== "integer") : types;
  const all = isNullable ? [...type, "null"] : type;
  const schema: Schema = { type: all.length === 1 ? all[0]! : all };
  if (types.length !== 1) return schema;
  if (types[0] === "string") {
    const pattern = [HASH, TIME].find((one) =>
      values.every((value) => new RegExp(one).test(value as string)),
    );
    return pattern === undefined ? schema : { ...schema, pattern };
  }
  if (types[0] === "array") {
    const items = (values as unknown[][]).flat();
    return items.length === 0 ? schema : { ...schema, items: inferSchema(items, name) };
  }
  if (types[0] !== "object") return schema;
  const objects = values as Record<string, unknown>[];
  if (MAPS.has(name)) return { ...schema, additionalProperties: true };
  const names = [...new Set(objects.flatMap((object) => Object.keys(object)))];
  const properties = Object.fromEntries(
    names.map((property) => {
      const given = objects.filter((object) => property in object).map((object) => object[property]);
      return [property, inferSchema(given, property)];
    }),
  );
  const required = names.filter((property) => objects.every((object) => property in object));
  return { ...schema, properties, ...(required.length > 0 && { required }) };
}

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

/** Every command that does something and ends, with its description. */
export async function endingCommands(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const visit = async (path: readonly string[], command: typeof rootCommand): Promise<void> => {
    if (command.action !== undefined && !command.daemon) found.set(path.join(" "), command.meta.description);
    for (const child of await subCommands({ path, command })) await visit(child.path, child.command);
  };
  await visit([], rootCommand);
  return found;
}

export function documentsOf(played: readonly Played[]): Map<string, unknown[]> {
  const found = new Map<string, unknown[]>();
  for (const { command, documents } of played)
    found.set(command, [...(found.get(command) ?? []), ...documents]);
  return found;
}

async function writeSchemas(): Promise<void> {
  const documents = documentsOf(await playScenario());
  mkdirSync(SCHEMA_FOLDER, { recursive: true });
  for (const name of readdirSync(SCHEMA_FOLDER))
    if (name.endsWith(".json")) rmSync(join(SCHEMA_FOLDER, name));
  for (const [command, description] of await endingCommands()) {
    const samples = documents.get(command) ?? [];
    if (samples.length === 0) continue;
    const schema = {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      title: `edgesync ${command} --json`,
      description: `What the command prints, which ${description}. Of a command that prints one document a line, each line.`,
      ...withItems(allowNull(inferSchema(samples), MAY_BE_NULL[command] ?? []), ITEMS[command] ?? {}),
    };
    writeFileSync(join(SCHEMA_FOLDER, schemaFile(command)), `${JSON.stringify(schema, null, 2)}\n`);
  }
}

if (import.meta.main) await writeSchemas();
