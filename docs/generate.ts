/**
 * `npm run docs`: writes the parts of docs/ that are made from the source. Tests compare the files with
 * what these functions return, so that none falls behind.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { commandsPage } from "../src/cli-help.ts";
import { rootCommand } from "../src/cli-tree.ts";
import { cardDocs } from "../src/xfer-card-docs.ts";
import type { Layers } from "../tests/architecture.ts";
import layersJson from "../tests/layers.json";

const layers: Layers = layersJson;

const LAYERS_START = "<!-- layers: made by npm run docs -->\n";
const LAYERS_END = "<!-- end of layers -->\n";

/** File name in docs/ → its content as it should be. */
export async function generatedDocs(): Promise<Map<string, string>> {
  return new Map([
    ["commands.md", await commandsPage({ path: ["edgesync"], command: rootCommand })],
    ["xfer-cards.md", cardDocs()],
    ["architecture.md", withLayers(readDoc("architecture.md"))],
  ]);
}

export const readDoc = (name: string): string => readFileSync(join(import.meta.dir, name), "utf8");

/** Replaces what stands between the two marks. */
function withLayers(page: string): string {
  const start = page.indexOf(LAYERS_START);
  const end = page.indexOf(LAYERS_END);
  if (start < 0 || end < start) throw new Error("docs/architecture.md has lost the marks around its layers");
  return page.slice(0, start + LAYERS_START.length) + layerTable() + page.slice(end);
}

function layerTable(): string {
  const code = (texts: readonly string[]) => texts.map((text) => `\`${text}\``).join(" ");
  const rows = layers.ranks.map(({ rank, name, patterns, mayImport, mayImportModules = [], about }) => {
    const imports = [mayImport.join(" "), code(mayImportModules)].filter((part) => part !== "").join(", ");
    return `| ${rank} ${name} | ${code(patterns)} | ${about} | ${imports} |\n`;
  });
  return `| rank | modules | what lives there | may import |\n|---|---|---|---|\n${rows.join("")}`;
}

if (import.meta.main) {
  for (const [name, content] of await generatedDocs()) writeFileSync(join(import.meta.dir, name), content);
}
