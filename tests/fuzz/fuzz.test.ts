/** A short run of every fuzzer, and that each of its checks can fail. Long runs: `npm run fuzz`. */
import { describe, expect, test } from "bun:test";
import { utf8 } from "../../src/bytes.ts";
import { FormatError } from "../../src/errors.ts";
import { type FuzzTarget, fuzz } from "./fuzzer.ts";
import { TARGETS } from "./targets.ts";

const EXECUTIONS = Number(process.env["EDGESYNC_FUZZ_EXECUTIONS"] ?? "1500");

describe("every parser", () => {
  test.each(TARGETS.map((target) => [target.name, target] as const))("%s", async (_, target) => {
    const report = await fuzz(target, { executions: EXECUTIONS, seed: 5 });
    expect(report.defects).toEqual([]);
    expect(report.executions).toBe(EXECUTIONS);
    // Some get through, and those that do not fail in more than one way.
    expect(report.accepted).toBeGreaterThan(0);
    expect(Object.keys(report.outcomes).length).toBeGreaterThan(1);
  });

  test("has a name of its own", () => {
    expect(new Set(TARGETS.map(({ name }) => name)).size).toBe(TARGETS.length);
  });
});

describe("a parser with a defect", () => {
  const broken = (run: FuzzTarget["run"]): FuzzTarget => ({
    name: "broken",
    examples: () => [utf8("size 12\nabc\n")],
    words: ["size"],
    run,
  });

  test("that throws what it does not declare is found", async () => {
    const target = broken((input) => {
      if (input.length > 40) throw new RangeError("out of range");
      throw new FormatError("short", "too short");
    });
    const { defects, outcomes } = await fuzz(target, { executions: 2_000, seed: 1 });
    expect(defects[0]?.what).toContain("RangeError");
    expect(outcomes["short"]).toBeGreaterThan(0);
  });

  test("that takes too long is found", async () => {
    const target = broken(() => {
      Bun.sleepSync(1_010);
      return "slow";
    });
    const { defects } = await fuzz(target, { executions: 1, seed: 1 });
    expect(defects[0]?.what).toMatch(/^took \d+ ms$/);
  });

  test("that only a changed number reaches is found", async () => {
    const target = broken((input) => {
      const size = /size (\d+)/.exec(Buffer.from(input).toString())?.[1];
      if (size === "4294967296") throw new TypeError("not a number of 32 bits");
      return "fine";
    });
    const { defects } = await fuzz(target, { executions: 20_000, seed: 1 });
    expect(defects[0]?.what).toContain("TypeError");
  });
});

test("the same seed makes the same inputs", async () => {
  const inputs = async (seed: number) => {
    const hasher = new Bun.CryptoHasher("sha256");
    const target = TARGETS.find(({ name }) => name === "xfer")!;
    await fuzz(target, { executions: 300, seed, onInput: (_, input) => hasher.update(input) });
    return hasher.digest("hex");
  };
  expect(await inputs(3)).toBe(await inputs(3));
  expect(await inputs(4)).not.toBe(await inputs(3));
});
