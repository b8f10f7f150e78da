/** A few kills of a leaf over each wire; `bench/kill.ts --leaf` does five hundred. */
import { expect, test } from "bun:test";
import { LeafKills, WIRES } from "./leaf-kill.ts";

test.each(WIRES)(
  "a leaf killed while others push to it over %s has all that it acknowledged",
  async (wire) => {
    await using kills = new LeafKills(wire, 5n);
    let acknowledged = 0;
    for (let i = 0; i < 3; i++) {
      const kill = await kills.kill();
      expect(kill).toMatchObject({ problems: [] });
      acknowledged += kill.acknowledged;
    }
    expect(acknowledged).toBeGreaterThan(0);
  },
);
