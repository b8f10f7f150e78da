/** Sessions of both programs in one checkout. EDGESYNC_MIXED_STEPS=200 plays long ones. */
import { expect, test } from "bun:test";
import { stocks } from "../stock.ts";
import { MixedSession } from "./mixed.ts";

const STEPS = Number(process.env["EDGESYNC_MIXED_STEPS"] ?? 25);
const SEEDS = (process.env["EDGESYNC_MIXED_SEEDS"] ?? "1").split(",").map(BigInt);

// Older ones print former names and headings of differences otherwise.
const able = stocks().filter((stock) => stock.atLeast(2, 22));

test
  .skipIf(able.length === 0)
  .each(able.flatMap((stock) => SEEDS.map((seed) => [stock.version, seed, stock] as const)))(
  "fossil %s, seed %d",
  async (_, seed, stock) => {
    using session = new MixedSession(stock, seed);
    const { steps, disagreement } = await session.play(STEPS);
    expect(disagreement === undefined ? "" : `after\n${steps.join("\n")}\n${disagreement}`).toBe("");
  },
  600_000,
);
