/**
 * `npm run sim` (`bun tests/sim/main.ts`): one seed, or a sweep.
 *
 *     --seed N [--severity S] [-v]          one run; -v prints what happens
 *     --from N --seeds K [--severity S]     K runs from seed N on, over --jobs processes (default: one per core)
 *     --shrink                              prints the smallest failing plan of the first failing seed
 *
 * Severity is calm, adverse or hostile; in a sweep without one the three take turns. Ends with status 1 when
 * anything that must hold did not. A sweep says how far it is every few hundred runs, and when it is stopped.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { atEnd } from "../at-end.ts";
import { describeStep, makePlan, type Plan } from "./plan.ts";
import { SEVERITIES, type Severity } from "./severity.ts";
import { shrink } from "./shrink.ts";
import { type SimulationResult, simulate } from "./simulation.ts";

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: {
    seed: { type: "string" },
    severity: { type: "string" },
    from: { type: "string", default: "1" },
    seeds: { type: "string" },
    jobs: { type: "string", default: String(availableParallelism()) },
    shrink: { type: "boolean", default: false },
    verbose: { type: "boolean", short: "v", default: false },
    /** Of the processes of a sweep: prints one JSON line per seed. */
    lines: { type: "boolean", default: false },
    stride: { type: "string", default: "1" },
  },
});

/** Of a sweep: runs. */
const TOLD_EVERY = 300;

interface Run {
  readonly seed: string;
  readonly severity: Severity;
  readonly result: SimulationResult;
}

function severityOf(seed: bigint): Severity {
  const named = SEVERITIES.find((severity) => severity === values.severity);
  if (named !== undefined) return named;
  if (values.severity !== undefined) {
    console.error(`expected a severity of ${SEVERITIES.join(", ")}, got ${values.severity}`);
    process.exit(2);
  }
  return values.seeds === undefined ? "hostile" : SEVERITIES[Number(seed % 3n)]!;
}

async function runOne(seed: bigint): Promise<boolean> {
  const plan = makePlan(seed, severityOf(seed));
  const onTrace = (line: string) => console.log(line);
  const result = await simulate(plan, values.verbose ? { onTrace } : {});
  const again = await simulate(plan);
  report({ seed: String(seed), severity: plan.severity, result });
  if (again.trace !== result.trace) console.log("DEFECT: a second run went another way");
  if (result.defects.length > 0 && values.shrink) await printSmallest(plan);
  return result.defects.length === 0 && again.trace === result.trace;
}

function report({ seed, severity, result }: Run): void {
  const { defects, artifacts, messages, crashes, agreedAfterMs, trace } = result;
  const agreed = `agreed after ${agreedAfterMs / 1000} s`;
  console.log(
    `seed ${seed} ${severity}: ${artifacts} artifacts, ${messages} messages, ${crashes} crashes, ${agreed}, trace ${trace}`,
  );
  for (const defect of defects) console.log(`  DEFECT: ${defect}`);
}

async function printSmallest(plan: Plan): Promise<void> {
  const fails = async (smaller: Plan) => (await simulate(smaller)).defects.length > 0;
  const smallest = await shrink(plan, fails);
  console.log(`smallest failing plan, ${smallest.steps.length} of ${plan.steps.length} steps:`);
  console.log(`  ${plan.nodeCount} nodes, nobody may ${JSON.stringify(plan.nobody)}`);
  for (const step of smallest.steps) console.log(`  ${describeStep(step)}`);
  for (const defect of (await simulate(smallest)).defects) console.log(`  DEFECT: ${defect}`);
}

/** A process of a sweep: every `stride`th seed. */
async function printLines(from: bigint, count: bigint, stride: bigint): Promise<void> {
  for (let seed = from; seed < from + count; seed += stride) {
    const severity = severityOf(seed);
    const result = await simulate(makePlan(seed, severity));
    console.log(JSON.stringify({ seed: String(seed), severity, result } satisfies Run));
  }
}

async function sweep(from: bigint, count: bigint): Promise<boolean> {
  const jobs = Math.min(Number(values.jobs), Number(count));
  const totals = { runs: 0, failed: 0, artifacts: 0, messages: 0, crashes: 0 };
  const bySeverity: Record<string, number> = {};
  const failures: Run[] = [];
  const began = performance.now();
  const tell = () => {
    const kinds = Object.entries(bySeverity).map(([name, runs]) => `${runs} ${name}`);
    const seconds = (performance.now() - began) / 1000;
    console.log(
      `${totals.runs} runs (${kinds.join(", ")}): ${totals.failed} failed; ${totals.artifacts} artifacts, ` +
        `${totals.messages} messages, ${totals.crashes} crashes; ${seconds.toFixed(0)} s, ${(totals.runs / seconds).toFixed(1)} a second`,
    );
  };
  // A sweep that is stopped says how far it came.
  atEnd(tell);
  const hear = (run: Run) => {
    totals.runs++;
    bySeverity[run.severity] = (bySeverity[run.severity] ?? 0) + 1;
    for (const name of ["artifacts", "messages", "crashes"] as const) totals[name] += run.result[name];
    if (totals.runs % TOLD_EVERY === 0 && BigInt(totals.runs) < count) tell();
    if (run.result.defects.length === 0) return;
    totals.failed++;
    failures.push(run);
    report(run);
  };
  const statuses = await Promise.all(
    Array.from({ length: jobs }, (_, i) => runProcess(from + BigInt(i), count - BigInt(i), jobs, hear)),
  );
  const [first] = failures;
  if (first !== undefined && values.shrink) await printSmallest(makePlan(BigInt(first.seed), first.severity));
  return totals.failed === 0 && statuses.every((status) => status === 0) && BigInt(totals.runs) === count;
}

async function runProcess(
  from: bigint,
  count: bigint,
  stride: number,
  hear: (run: Run) => void,
): Promise<number> {
  const words = ["--lines", `--from=${from}`, `--seeds=${count}`, `--stride=${stride}`];
  if (values.severity !== undefined) words.push(`--severity=${values.severity}`);
  const child = Bun.spawn([process.execPath, import.meta.path, ...words], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  atEnd(() => child.kill());
  let rest = "";
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    for (const line of lines) hear(JSON.parse(line) as Run);
  }
  return child.exited;
}

const [from, seeds] = [BigInt(values.from), values.seeds === undefined ? undefined : BigInt(values.seeds)];
let good = true;
if (values.lines) await printLines(from, seeds!, BigInt(values.stride));
else if (seeds !== undefined) good = await sweep(from, seeds);
else good = await runOne(BigInt(values.seed ?? values.from));
process.exit(good ? 0 : 1);
