/** A few hundred simulated worlds; the same seed goes the same way; the checks can fail. Long runs: `npm run sim`. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { TempDir } from "../temp-dir.ts";
import { Dice } from "./dice.ts";
import { MUTANTS } from "./mutants/mutants.ts";
import { makePlan, type Plan } from "./plan.ts";
import { SEVERITIES } from "./severity.ts";
import { shrink } from "./shrink.ts";
import { simulate } from "./simulation.ts";
import { Timeline } from "./timeline.ts";

const SEEDS = process.env["EDGESYNC_SIM_SEEDS"] ?? "200";
const LONG_MS = 900_000;

const run = (script: string, ...words: string[]) => {
  const { exitCode, stdout } = Bun.spawnSync([process.execPath, join(import.meta.dir, script), ...words], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  return { exitCode, text: stdout.toString() };
};

test(
  `${SEEDS} worlds, calm, adverse and hostile in turn, keep every promise`,
  () => {
    const { exitCode, text } = run("main.ts", "--from=1", `--seeds=${SEEDS}`);
    expect(text).toContain(": 0 failed;");
    expect(exitCode).toBe(0);
  },
  LONG_MS,
);

test.each(SEVERITIES)("a %s world goes the same way twice", async (severity) => {
  const plan = makePlan(41n, severity);
  const [first, second] = [await simulate(plan), await simulate(plan)];
  expect(second.trace).toBe(first.trace);
  expect(await simulate(makePlan(42n, severity))).not.toEqual(first);
});

describe("mutants", () => {
  test.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))("%s: changes one line", (_, mutant) => {
    const source = readFileSync(join(import.meta.dir, "../../src", mutant.file), "utf8");
    for (const { find, replace } of [mutant, ...(mutant.also === undefined ? [] : [mutant.also])]) {
      expect(source.split(find).length).toBe(2);
      expect(replace).not.toBe(find);
    }
  });

  test(
    "two are found; the others by `bun tests/sim/mutants/main.ts`",
    () => {
      const { exitCode, text } = run("mutants/main.ts", "content is not verified", "leaves stay leaves");
      expect(text).toContain("2 of 2 mutants found");
      expect(exitCode).toBe(0);
    },
    LONG_MS,
  );
});

test("a soak keeps what failed", () => {
  using folder = new TempDir("soak");
  const apply = join(import.meta.dir, "mutants/apply.ts");
  const words = ["--preload", apply, join(import.meta.dir, "../../bench/soak.ts"), "--seeds=1", "--folder"];
  const { exitCode, stdout } = Bun.spawnSync([process.execPath, ...words, folder.path], {
    env: { ...process.env, EDGESYNC_MUTANT: "leaves stay leaves" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  expect(stdout.toString()).toContain("1 worlds, 1 failed");
  expect(exitCode).toBe(1);
  const kept = readFileSync(folder.join("1-adverse.txt"), "utf8");
  for (const words of ["only in its rebuild", " peace\n"]) expect(kept).toContain(words);
});

test("shrinking finds the steps that matter", async () => {
  const plan = makePlan(7n, "hostile");
  const [a, b] = [plan.steps[3]!, plan.steps.at(-2)!];
  const fails = async ({ steps }: Plan) => steps.includes(a) && steps.includes(b);
  expect((await shrink(plan, fails)).steps).toEqual([a, b]);
});

test("events come in order of time, then of asking", async () => {
  const timeline = new Timeline();
  const dice = new Dice(9n);
  const seen: number[] = [];
  const times = Array.from({ length: 200 }, () => dice.below(50));
  times.forEach((at, i) => {
    timeline.after(at, () => seen.push(at * 1000 + i));
  });
  const cancelled = timeline.after(10, () => seen.push(-1));
  cancelled.cancel();
  await timeline.runUntil(100);
  expect(seen).toEqual(times.map((at, i) => at * 1000 + i).sort((one, other) => one - other));
  expect(timeline.now).toBe(100);
});
