/** A few kills of a leaf over each wire; `bench/leaf-kill.ts` does five hundred. */
import { expect, test } from "bun:test";
import { LeafKills, WIRES } from "./leaf-kill.ts";

test.each(WIRES)(
  "a leaf killed while others push to it and clone it over %s has all that it acknowledged or announced",
  async (wire) => {
    await using kills = new LeafKills(wire, 5n);
    let [acknowledged, clones, announced] = [0, 0, 0];
    for (let i = 0; i < 3 || (i < 9 && (clones === 0 || announced === 0)); i++) {
      const kill = await kills.kill();
      expect(kill).toMatchObject({ problems: [] });
      acknowledged += kill.acknowledged;
      clones += kill.clones;
      announced += kill.announced;
    }
    expect(acknowledged).toBeGreaterThan(0);
    expect(clones).toBeGreaterThan(0);
    expect(announced).toBeGreaterThan(0);
  },
);
