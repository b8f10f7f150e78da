/** Preloaded (`bun --preload`): changes one source file as the mutant named by `EDGESYNC_MUTANT` says. */
import { readFileSync } from "node:fs";
import { MUTANTS } from "./mutants.ts";

const mutant = MUTANTS.find(({ name }) => name === process.env["EDGESYNC_MUTANT"]);
if (mutant === undefined) throw new Error(`there is no mutant ${process.env["EDGESYNC_MUTANT"]}`);
const { file } = mutant;
const path = new URL(`../../../src/${file}`, import.meta.url).pathname;
const source = readFileSync(path, "utf8");
const mutated = [mutant, ...(mutant.also === undefined ? [] : [mutant.also])].reduce(
  (text, { find, replace }) => {
    if (text.split(find).length !== 2) throw new Error(`${file} does not have once: ${find}`);
    return text.replace(find, () => replace);
  },
  source,
);

Bun.plugin({
  name: "mutant",
  setup(build) {
    build.onLoad({ filter: /\/src\/[a-z-]+\.ts$/ }, (args) => ({
      contents: args.path === path ? mutated : readFileSync(args.path, "utf8"),
      loader: "ts",
    }));
  },
});
