import { describe, expect, test } from "bun:test";
import { chmodSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { stocks } from "../stock.ts";
import { CheckoutPair } from "./two-checkouts.ts";

describe.each(stocks())("fossil $version", (stock) => {
  test("undo and redo what stock did, in turn and file by file", async () => {
    using pair = new CheckoutPair(stock);
    pair.base("settings", "allow-symlinks", "on");
    for (const name of ["a", "b", "sub/c", "run.sh"]) pair.write(name, `${name}\n`);
    symlinkSync("a", join(pair.tree("base"), "link"));
    chmodSync(join(pair.tree("base"), "run.sh"), 0o755);
    pair.commit("first");
    pair.write("a", "edited\n");
    pair.write("sub/c", "edited\n");
    rmSync(join(pair.tree("base"), "b"));
    rmSync(join(pair.tree("base"), "link"));
    symlinkSync("b", join(pair.tree("base"), "link"));
    chmodSync(join(pair.tree("base"), "run.sh"), 0o644);
    pair.base("revert");

    const { ours, theirs } = pair.fork();
    const steps: readonly (readonly string[])[] = [
      ["undo", "--dry-run"],
      ["undo"],
      ["undo"],
      ["redo", "--dry-run"],
      ["redo"],
      ["redo"],
      ["undo", "a", "sub/c"],
      ["redo", "a"],
      ["undo"],
    ];
    for (const [i, words] of steps.entries()) {
      const [mine, other] = [await pair.edgesync(ours, ...words), pair.fossil(theirs, ...words)];
      expect([i, mine.code]).toEqual([i, other.code]);
      if (other.code === 0) expect(mine.stdout).toBe(other.stdout.replace(/^ {3}\S*fossil\S* /m, "   "));
      expect([i, pair.look(ours)]).toEqual([i, pair.look(theirs)]);
      // And the other way round: each goes on from what the other left.
      if (i % 2 === 0) {
        const [left, right] = [pair.copy(`l${i}`, ours), pair.copy(`r${i}`, theirs)];
        const next = i === 0 ? "undo" : "redo";
        await pair.edgesync(right, next);
        pair.fossil(left, next);
        expect(pair.look(left)).toEqual(pair.look(right));
      }
    }
  });
});
