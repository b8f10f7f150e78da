import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { checkArchitecture, type Layers, rankOf } from "./architecture.ts";
import layersJson from "./layers.json";

const layers: Layers = layersJson;
const src = join(import.meta.dir, "..", "src");

function readSources(): Map<string, string> {
  const sources = new Map<string, string>();
  for (const entry of readdirSync(src, { recursive: true, encoding: "utf8" }).sort()) {
    if (entry.endsWith(".ts"))
      sources.set(entry.replace(/\.ts$/, ""), readFileSync(join(src, entry), "utf8"));
  }
  return sources;
}

/** What only the documentation is made from is used, too. */
function usedByDocs(): string[] {
  const generator = readFileSync(join(src, "..", "docs", "generate.ts"), "utf8");
  return [...generator.matchAll(/from "\.\.\/src\/([a-z0-9-]+)\.ts"/g)].map((match) => match[1]!);
}

test("src/ keeps the rules of tests/layers.json", () => {
  const entryPoints = [...layers.entryPoints, ...usedByDocs()];
  expect(checkArchitecture(readSources(), { ...layers, entryPoints })).toEqual([]);
});

test("every name and pattern of tests/layers.json stands for a module", () => {
  const names = [...readSources().keys()];
  const isEmpty = (pattern: string) =>
    pattern.endsWith("*")
      ? !names.some((name) => name.startsWith(pattern.slice(0, -1)))
      : !names.includes(pattern);
  expect(layers.ranks.flatMap(({ patterns }) => patterns).filter(isEmpty)).toEqual([]);
});

test("ranks: an exact name beats a pattern", () => {
  expect(rankOf("transport", layers)?.rank).toBe(3);
  expect(rankOf("transport-http-server", layers)?.rank).toBe(4);
  expect(rankOf("repo-worker", layers)?.rank).toBe(2);
  expect(rankOf("stuff", layers)).toBeUndefined();
});

/** The smallest house that is sound; each case below breaks one rule of it. */
const SOUND: Readonly<Record<string, string>> = {
  main: '/** H */\nimport "./cli-run.ts";\n',
  index: '/** H */\nexport { openDb } from "./db.ts";\n',
  "cli-run": '/** H */\nimport { pull } from "./sync-client.ts";\npull(await import("./leaf-http.ts"));\n',
  "leaf-http":
    '/** H */\nimport { send } from "./transport-http.ts";\nsend(new URL("./repo-worker.ts", import.meta.url));\n',
  "repo-worker": '/** H */\nimport { openDb } from "./db.ts";\nopenDb();\n',
  "transport-http":
    '/** H */\nimport type { T } from "./transport.ts";\nexport const send = (t: T | URL) => t;\n',
  transport: "/** H */\nexport type T = string;\n",
  "sync-client":
    '/** H */\nimport { now } from "./clock.ts";\nexport const pull = (x: unknown) => [x, now];\n',
  db: '/** H */\nimport { Database } from "bun:sqlite";\nexport const openDb = () => new Database();\n',
  clock: "/** Only here Date.now is called. */\nexport const now = () => Date.now();\n",
  random: "/** H */\nexport const float = () => Math.random();\n",
  executor: '/** H */\nimport { float } from "./random.ts";\nexport const run = float;\n',
  bytes: '/** H */\nimport { run } from "./executor.ts";\nexport const b = run;\n',
};

function check(changes: Readonly<Record<string, string | undefined>>): string[] {
  const files = Object.entries({ ...SOUND, ...changes });
  const sources = new Map(files.filter((file): file is [string, string] => file[1] !== undefined));
  return checkArchitecture(sources, {
    ...layers,
    moduleCountMin: 12,
    entryPoints: [...layers.entryPoints, "bytes"],
  });
}

describe("each rule fails when it is broken", () => {
  test("the sound house passes", () => {
    expect(check({})).toEqual([]);
  });

  const pull = "export const pull = (x: unknown) => x;\n";
  const cases: readonly [rule: string, changes: Record<string, string | undefined>, problem: RegExp][] = [
    ["a floor on the module count", { bytes: undefined, executor: undefined }, /^only 11 modules were seen/],
    [
      "an upward import",
      { "sync-client": `/** H */\nimport "./leaf-http.ts";\n${pull}` },
      /^sync-client \(rank 3\) may not import leaf-http/,
    ],
    [
      "an upward import of a type",
      { "sync-client": `/** H */\nimport type { X } from "./leaf-http.ts";\n${pull}` },
      /^sync-client \(rank 3\) may not import leaf-http/,
    ],
    [
      "an upward re-export",
      { "sync-client": `/** H */\nexport { X } from "./leaf-http.ts";\n${pull}` },
      /^sync-client \(rank 3\) may not import leaf-http/,
    ],
    [
      "an upward dynamic import",
      { "sync-client": `/** H */\nawait import("./leaf-http.ts");\n${pull}` },
      /^sync-client \(rank 3\) may not import leaf-http/,
    ],
    [
      "an upward inline type import",
      { "sync-client": `/** H */\nexport type X = import("./leaf-http.ts").X;\n${pull}` },
      /^sync-client \(rank 3\) may not import leaf-http/,
    ],
    [
      "an upward worker URL",
      { "sync-client": `/** H */\nexport const u = new URL("./leaf-http.ts", import.meta.url);\n${pull}` },
      /^sync-client \(rank 3\) may not import leaf-http/,
    ],
    [
      "a wire that touches the repository",
      { "transport-http": '/** H */\nimport "./db.ts";\nimport "./transport.ts";\nexport const send = 1;\n' },
      /^transport-http \(rank 4\) may not import db/,
    ],
    [
      "an import over several lines",
      { "sync-client": `/** H */\nimport {\n  type A,\n  b,\n} from "./leaf-http.ts";\n${pull}` },
      /^sync-client \(rank 3\) may not import leaf-http/,
    ],
    [
      "a cycle",
      {
        clock: '/** H */\nimport "./random.ts";\nexport const now = 1;\n',
        random: '/** H */\nimport "./clock.ts";\n',
      },
      /^import cycle: (clock → random|random → clock)/,
    ],
    [
      "a cycle of types only",
      {
        clock: '/** H */\nimport type { R } from "./random.ts";\nexport type C = R;\nexport const now = 1;\n',
        random: '/** H */\nimport type { C } from "./clock.ts";\nexport type R = C;\n',
      },
      /^import cycle: (clock → random|random → clock)/,
    ],
    [
      "a module that imports itself",
      { random: '/** H */\nimport "./random.ts";\n' },
      /^import cycle: random → random/,
    ],
    [
      "a second importer of SQLite",
      { "repo-worker": '/** H */\nimport type { Database } from "bun:sqlite";\nexport type D = Database;\n' },
      /^repo-worker: only db may import bun:sqlite/,
    ],
    ["Date.now", { random: "/** H */\nexport const x = Date.now();\n" }, /^random: uses Date\.now/],
    [
      "new Date()",
      { random: "/** H */\nexport const x = new Date();\n" },
      /^random: uses new Date\(\) without/,
    ],
    ["new Date", { random: "/** H */\nexport const x = new Date;\n" }, /^random: uses new Date\(\) without/],
    [
      "performance.now",
      { random: "/** H */\nexport const x = performance.now();\n" },
      /^random: uses performance/,
    ],
    ["Math.random", { clock: "/** H */\nexport const now = Math.random();\n" }, /^clock: uses Math\.random/],
    [
      "crypto.getRandomValues",
      { clock: "/** H */\nexport const now = crypto.getRandomValues(new Uint8Array(1));\n" },
      /^clock: uses the runtime's own random bytes/,
    ],
    [
      "SQL 'now'",
      { random: `/** H */\nexport const x = "SELECT julianday('now')";\n` },
      /^random: uses SQL 'now'/,
    ],
    [
      "SQL CURRENT_TIMESTAMP",
      { random: '/** H */\nexport const x = "SELECT CURRENT_TIMESTAMP";\n' },
      /^random: uses SQL CURRENT_TIMESTAMP/,
    ],
    [
      "SQL randomblob",
      { clock: '/** H */\nexport const now = "SELECT randomblob(20)";\n' },
      /^clock: uses SQL randomblob/,
    ],
    [
      "SQL random()",
      { clock: '/** H */\nexport const now = "SELECT random()";\n' },
      /^clock: uses SQL random/,
    ],
    ["an undeclared prefix", { stuff: "/** H */\n" }, /^stuff: matches no prefix/],
    ["a file named utils", { "repo-utils": "/** H */\n" }, /^repo-utils: name the noun/],
    ["a folder in src/", { "repo/content": "/** H */\n" }, /^repo\/content: file names are kebab-case/],
    ["a missing header", { random: "export const float = 1;\n" }, /^random: does not start with a header/],
    [
      "a long file without a reason",
      { random: `/** H */\n${"export {};\n".repeat(400)}` },
      /^random: 401 lines; past 400/,
    ],
    ["unfinished work", { random: `/** H */\n// ${"TO"}${"DO"}: more\n` }, /^random: holds unfinished work/],
    ["a use of the barrel", { "cli-run": '/** H */\nimport "./index.ts";\n' }, /^cli-run: imports index/],
    ["an import without extension", { "repo-worker": '/** H */\nimport "./db";\n' }, /inside src\/ write/],
    ["a dead module", { "repo-orphan": "/** H */\n" }, /^repo-orphan: nothing uses this module/],
  ];
  test.each(cases)("%s", (_rule, changes, problem) => {
    expect(check(changes).join("\n")).toMatch(new RegExp(problem.source, "m"));
  });

  test("a long file passes when its header says why", () => {
    const text = `/** Over 400 lines: one table. */\n${"export {};\n".repeat(400)}`;
    expect(check({ random: `${text}export const float = 1;\n` })).toEqual([]);
  });

  test("a Date with an argument and a ban named in a comment pass", () => {
    const text = "/** H */\n// not Math.random or Date.now\nexport const now = new Date(0);\n";
    expect(check({ clock: text })).toEqual([]);
  });
});
