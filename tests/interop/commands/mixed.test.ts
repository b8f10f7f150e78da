/** Sessions of both programs in one checkout. EDGESYNC_MIXED_STEPS=200 plays long ones, EDGESYNC_MIXED_SEEDS=1,2 others. */
import { expect, test } from "bun:test";
import { stocks } from "../stock.ts";
import { MixedSession } from "./mixed.ts";

const STEPS = Number(process.env["EDGESYNC_MIXED_STEPS"] ?? 20);
const SEEDS = (process.env["EDGESYNC_MIXED_SEEDS"] ?? "1").split(",").map(BigInt);

test.each(stocks().flatMap((stock) => SEEDS.map((seed) => [stock.version, seed, stock] as const)))(
  "fossil %s, seed %p",
  async (_, seed, stock) => {
    using session = new MixedSession(stock, seed);
    const { steps, disagreement } = await session.play(STEPS);
    expect(disagreement === undefined ? "" : `after\n${steps.join("\n")}\n${disagreement}`).toBe("");
  },
  600_000,
);
