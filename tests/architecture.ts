/**
 * The rules of the house as a function over a file map, so that each rule can be shown to fail on a
 * synthetic source. The rules themselves are data: `tests/layers.json`, also the source of the table in
 * docs/architecture.md.
 *
 * Imports are found in the source text: Biome keeps every `import … from "x"` and `export … from "x"` at
 * the start of a line. Type-only imports, `import("x")` (values and types), `require("x")` and
 * `new URL("./x.ts", import.meta.url)` (how workers are started) count like any other. Bans are looked
 * for in the code without its comments.
 */

export interface Rank {
  readonly rank: number;
  readonly name: string;
  /** Module names; a trailing `*` stands for any ending. An exact name beats a pattern, a longer pattern a shorter. */
  readonly patterns: readonly string[];
  readonly mayImport: readonly number[];
  /** Single modules outside `mayImport` that this rank may import. */
  readonly mayImportModules?: readonly string[];
  readonly about: string;
}

export interface Layers {
  /** Fewer modules than this means that the check looked in the wrong place. */
  readonly moduleCountMin: number;
  readonly lineCountMax: number;
  readonly ranks: readonly Rank[];
  readonly soleImporters: readonly { readonly specifier: string; readonly module: string }[];
  /** Modules that nothing needs to import. Nothing may import `index` (it is for users of the library). */
  readonly entryPoints: readonly string[];
  readonly bans: readonly {
    readonly what: string;
    readonly pattern: string;
    readonly allowedIn: readonly string[];
    readonly instead: string;
  }[];
}

/** Source texts of `src/`, by module name (`bytes` for `src/bytes.ts`). */
export type Sources = ReadonlyMap<string, string>;

const IMPORT_PATTERNS = [
  /^(?:import|export)\b[^;"']*?\bfrom\s*["']([^"']+)["']/gm,
  /^import\s*["']([^"']+)["']/gm,
  /\bimport\(\s*["']([^"']+)["']/g,
  /\brequire\(\s*["']([^"']+)["']/g,
  /\bnew URL\(\s*["'](\.[^"']+)["']\s*,\s*import\.meta\.url/g,
];
const BANNED_NAME = /(?:^|-)(?:utils?|helpers?|misc|common)(?:-|$)/;
const UNFINISHED = /\b(?:TODO|FIXME|XXX)\b/;

/** Every broken rule, one line each, in the order of the modules; an empty list is a sound house. */
export function checkArchitecture(sources: Sources, layers: Layers): string[] {
  const problems: string[] = [];
  if (sources.size < layers.moduleCountMin) {
    problems.push(`only ${sources.size} modules were seen, expected at least ${layers.moduleCountMin}`);
  }
  const imports = new Map([...sources].map(([name, text]) => [name, importsOf(text)]));
  for (const [name, text] of sources) {
    problems.push(...checkModule(name, text, layers), ...checkImports(name, imports.get(name)!, layers));
  }
  const graph = new Map([...imports].map(([name, list]) => [name, list.filter(isLocal).map(moduleName)]));
  problems.push(...findCycles(graph).map((cycle) => `import cycle: ${cycle.join(" → ")}`));
  problems.push(...checkReached(graph, layers));
  return problems;
}

/** The rank a module belongs to, by its name. */
export function rankOf(name: string, layers: Layers): Rank | undefined {
  let best: { rank: Rank; length: number } | undefined;
  for (const rank of layers.ranks) {
    for (const pattern of rank.patterns) {
      const length = matchLength(pattern, name);
      if (length > (best?.length ?? -1)) best = { rank, length };
    }
  }
  return best?.rank;
}

function matchLength(pattern: string, name: string): number {
  if (pattern === name) return Number.POSITIVE_INFINITY;
  if (!pattern.includes("*")) return -1;
  const [start = "", end = ""] = pattern.split("*");
  const matches = name.startsWith(start) && name.endsWith(end) && name.length > start.length + end.length;
  return matches ? start.length + end.length : -1;
}

function importsOf(text: string): string[] {
  const code = withoutCommentLines(text);
  return [...new Set(IMPORT_PATTERNS.flatMap((pattern) => [...code.matchAll(pattern)].map((m) => m[1]!)))];
}

/** Drops lines that are comment only; Biome puts a block comment's lines behind ` *`. */
function withoutCommentLines(text: string): string {
  return text
    .split("\n")
    .filter((line) => !/^\s*(?:\/\/|\/?\*)/.test(line))
    .join("\n");
}

const isLocal = (specifier: string) => specifier.startsWith(".");
const moduleName = (specifier: string) => specifier.replace(/^\.\//, "").replace(/\.ts$/, "");

function checkModule(name: string, text: string, layers: Layers): string[] {
  const problems: string[] = [];
  const header = /^\/\*\*[\s\S]*?\*\//.exec(text)?.[0];
  const lineCount = text.replace(/\n$/, "").split("\n").length;
  if (!/^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(name))
    problems.push(`${name}: file names are kebab-case, src/ is flat`);
  if (BANNED_NAME.test(name)) problems.push(`${name}: name the noun; no utils, helpers, misc or common`);
  if (rankOf(name, layers) === undefined) problems.push(`${name}: matches no prefix in tests/layers.json`);
  if (header === undefined) problems.push(`${name}: does not start with a header comment`);
  if (lineCount > layers.lineCountMax && !header?.includes(`${layers.lineCountMax} lines`)) {
    problems.push(
      `${name}: ${lineCount} lines; past ${layers.lineCountMax} the header must give the reason ("${layers.lineCountMax} lines")`,
    );
  }
  if (UNFINISHED.test(text)) problems.push(`${name}: holds unfinished work (${UNFINISHED.exec(text)![0]})`);
  const code = new Bun.Transpiler({ loader: "ts", deadCodeElimination: false }).transformSync(text);
  for (const ban of layers.bans) {
    if (ban.allowedIn.includes(name) || !new RegExp(ban.pattern).test(code)) continue;
    problems.push(`${name}: uses ${ban.what}; take ${ban.instead}`);
  }
  return problems;
}

function checkImports(name: string, specifiers: readonly string[], layers: Layers): string[] {
  const problems: string[] = [];
  const own = rankOf(name, layers);
  for (const specifier of specifiers) {
    for (const sole of layers.soleImporters) {
      if (specifier === sole.specifier && name !== sole.module) {
        problems.push(`${name}: only ${sole.module} may import ${specifier}`);
      }
    }
    if (!isLocal(specifier)) continue;
    if (!/^\.\/[^/]+\.(?:ts|json)$/.test(specifier)) {
      problems.push(`${name}: imports "${specifier}"; inside src/ write "./name.ts"`);
      continue;
    }
    const target = moduleName(specifier);
    const rank = rankOf(target, layers);
    if (target === "index") problems.push(`${name}: imports index, which is for users of the library only`);
    if (own === undefined || rank === undefined) continue;
    if (!own.mayImport.includes(rank.rank) && !own.mayImportModules?.includes(target)) {
      problems.push(`${name} (rank ${own.rank}) may not import ${target} (rank ${rank.rank})`);
    }
  }
  return problems;
}

/** One cycle per strongly connected part of the graph (Tarjan), each as a closed path of its members. */
function findCycles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const cycles: string[][] = [];
  const visit = (node: string) => {
    index.set(node, index.size);
    low.set(node, index.get(node)!);
    stack.push(node);
    for (const next of graph.get(node) ?? []) {
      if (!graph.has(next)) continue;
      if (!index.has(next)) {
        visit(next);
        low.set(node, Math.min(low.get(node)!, low.get(next)!));
      } else if (stack.includes(next)) low.set(node, Math.min(low.get(node)!, index.get(next)!));
    }
    if (low.get(node) !== index.get(node)) return;
    const part = stack.splice(stack.indexOf(node));
    if (part.length > 1 || graph.get(node)!.includes(node)) cycles.push([...part, node]);
  };
  for (const node of graph.keys()) if (!index.has(node)) visit(node);
  return cycles;
}

/** Modules that no entry point reaches are dead. */
function checkReached(graph: ReadonlyMap<string, readonly string[]>, layers: Layers): string[] {
  const reached = new Set<string>();
  const visit = (node: string) => {
    if (reached.has(node)) return;
    reached.add(node);
    for (const next of graph.get(node) ?? []) visit(next);
  };
  for (const name of graph.keys()) {
    if (layers.entryPoints.some((pattern) => matchLength(pattern, name) >= 0)) visit(name);
  }
  return [...graph.keys()]
    .filter((name) => !reached.has(name))
    .map((name) => `${name}: nothing uses this module`);
}
