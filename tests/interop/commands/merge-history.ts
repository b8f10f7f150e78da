/** Random histories with two branches that have files in common, and random changes on top that are not committed. */
import { chmodSync, existsSync, lstatSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { type Random, randomBelow } from "../../../src/random.ts";
import type { CheckoutPair } from "./two-checkouts.ts";

export const NAMES = [
  "a.txt",
  "b.txt",
  "sub/c.txt",
  "sub/d.txt",
  "e.bin",
  "run.sh",
  "f.txt",
  "g.txt",
] as const;
const NEW_NAMES = ["n1.txt", "new/n2.txt", "a2.txt", "sub/c2.txt"] as const;

function content(random: Random, name: string): string {
  const lines = Array.from({ length: 12 }, (_, i) => `${name} line ${i} ${randomBelow(random, 3)}`);
  return name.endsWith(".bin") ? `\0${lines.join("")}` : `${lines.join("\n")}\n`;
}

/** Changes some files of the checkout at `tree`; `fossil` runs a command of stock there and says whether it went well. */
export function change(
  random: Random,
  tree: string,
  fossil: (...words: string[]) => boolean,
  write: (name: string, content: string) => void,
  names: string[],
): void {
  const below = (count: number) => randomBelow(random, count);
  for (let left = 2 + below(5); left > 0; left--) {
    const at = below(names.length);
    const name = names[at]!;
    const path = join(tree, name);
    if (!existsSync(path)) continue;
    const isLink = lstatSync(path).isSymbolicLink();
    const kind = below(10);
    if (kind < 4 && !isLink) {
      const lines = readFileSync(path, "utf8").split("\n");
      lines[below(lines.length)] = `${name} changed ${below(4)}`;
      write(name, lines.join("\n"));
    } else if (kind === 4) {
      if (fossil("rm", "--hard", name)) names.splice(at, 1);
    } else if (kind === 5 || kind === 6) {
      const to = NEW_NAMES[below(NEW_NAMES.length)]!;
      if (existsSync(join(tree, to)) || names.includes(to)) continue;
      if (fossil("mv", "--hard", name, to)) names[at] = to;
    } else if (kind === 7) {
      const fresh = NEW_NAMES[below(NEW_NAMES.length)]!;
      if (existsSync(join(tree, fresh)) || names.includes(fresh)) continue;
      write(fresh, content(random, fresh));
      if (fossil("add", fresh)) names.push(fresh);
    } else if (kind === 8 && !isLink) {
      chmodSync(path, lstatSync(path).mode & 0o100 ? 0o644 : 0o755);
    } else if (kind === 9 && below(3) === 0) {
      rmSync(path);
      symlinkSync(`target${below(3)}`, path);
    }
  }
}

/** Makes a history in `pair`; the branch `feature` is there to be merged into what is checked out. */
export function makeHistory(pair: CheckoutPair, random: Random): void {
  pair.base("settings", "allow-symlinks", "on");
  for (const name of NAMES) pair.write(name, content(random, name));
  pair.commit("first");
  const [trunk, feature]: [string[], string[]] = [[...NAMES], [...NAMES]];
  const step = (names: string[], comment: string, ...more: string[]) => {
    change(
      random,
      pair.tree("base"),
      (...words) => pair.stock.runSync(words, { cwd: pair.tree("base") }).code === 0,
      (name, text) => pair.write(name, text),
      names,
    );
    pair.commit(comment, "--allow-empty", ...more);
  };
  step(feature, "branch", "--branch", "feature");
  if (randomBelow(random, 2) === 0) step(feature, "branch goes on");
  pair.base("update", "trunk");
  step(trunk, "trunk goes on");
  if (randomBelow(random, 3) === 0) {
    pair.stock.runSync(["merge", "feature"], { cwd: pair.tree("base") });
    pair.commit("merged");
    pair.base("update", "feature");
    step(feature, "branch again");
    pair.base("update", "trunk");
  }
  if (randomBelow(random, 2) === 0) step(trunk, "trunk once more");
}
