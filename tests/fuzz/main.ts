/**
 * `npm run fuzz` (`bun tests/fuzz/main.ts`): lets parsers read what nobody should write.
 *
 *     --parser NAME        one of them (default: each in turn)
 *     --executions N       inputs for each (default 100,000)
 *     --seed N             another seed, other inputs (default 1)
 *     --list               their names
 *
 * Prints one line a parser; an input that breaks a promise is written to a file in the working folder. Ends with
 * status 1 when there was one. A run that is stopped says how far it came.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { atEnd } from "../at-end.ts";
import { FUZZ_HEAD_BYTES, type FuzzReport } from "./fuzzer.ts";
import { INPUT_MAX_BYTES } from "./mutate.ts";
import { TARGETS, targetOf } from "./targets.ts";
import type { FuzzNews, FuzzOrder } from "./worker.ts";

/** A machine that is busy may hold a thread back for a while. */
const SILENCE_MAX_MS = 20_000;

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: {
    parser: { type: "string", multiple: true },
    executions: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    list: { type: "boolean", default: false },
  },
});

const names = values.parser ?? TARGETS.map(({ name }) => name);
for (const name of names) {
  if (targetOf(name) === undefined) {
    console.error(`expected a parser of ${TARGETS.map((target) => target.name).join(", ")}, got ${name}`);
    process.exit(2);
  }
}
if (values.list) console.log(names.join("\n"));
else {
  let good = true;
  for (const name of names) good = (await run(name, Number(values.executions), Number(values.seed))) && good;
  process.exit(good ? 0 : 1);
}

async function run(parser: string, executions: number, seed: number): Promise<boolean> {
  const shared = new SharedArrayBuffer(FUZZ_HEAD_BYTES + 4 * INPUT_MAX_BYTES + 65_536);
  const worker = new Worker(new URL("./worker.ts", import.meta.url).href);
  const done = Promise.withResolvers<FuzzReport | undefined>();
  let defectCount = 0;
  worker.onmessage = ({ data }: MessageEvent<FuzzNews>) => {
    if ("report" in data) return done.resolve(data.report);
    const { what, execution, input } = data.defect;
    const path = keep(parser, defectCount++, input);
    console.log(`${parser}: DEFECT at execution ${execution}: ${what}\n  input: ${path}`);
  };
  worker.onerror = (event) => done.reject(new Error(event.message));
  const numbers = new Int32Array(shared, 0, FUZZ_HEAD_BYTES / 4);
  let isDone = false;
  atEnd(() => {
    if (isDone) return;
    const count = Math.max(0, Atomics.load(numbers, 0) - 1).toLocaleString("en");
    console.log(
      `${parser}: stopped after ${count} executions, slowest ${numbers[2]} ms, ${defectCount} defects`,
    );
  });
  let seen = -1;
  let seenAt = performance.now();
  const watch = setInterval(() => {
    const now = Atomics.load(numbers, 0);
    if (now !== seen) [seen, seenAt] = [now, performance.now()];
    else if (performance.now() - seenAt > SILENCE_MAX_MS) done.resolve(undefined);
  }, 500);
  worker.postMessage({ parser, executions, seed, shared } satisfies FuzzOrder);
  const report = await done.promise;
  clearInterval(watch);
  worker.terminate();
  isDone = true;
  if (report === undefined) {
    const input = new Uint8Array(shared, FUZZ_HEAD_BYTES).slice(0, numbers[1]!);
    console.log(
      `${parser}: DEFECT: does not come back from execution ${numbers[0]! - 1}: ${keep(parser, 0, input)}`,
    );
    return false;
  }
  const { seconds, accepted, outcomes, slowestMs, peakGrowthMb, defects } = report;
  const rate = Math.round(report.executions / seconds).toLocaleString("en");
  console.log(
    `${parser}: ${report.executions.toLocaleString("en")} executions in ${seconds.toFixed(1)} s (${rate}/s), ${accepted.toLocaleString("en")} accepted, ` +
      `${Object.keys(outcomes).length} outcomes, slowest ${slowestMs.toFixed(1)} ms, memory +${peakGrowthMb} MB, ${defects.length} defects`,
  );
  return defects.length === 0;
}

function keep(parser: string, number: number, input: Uint8Array): string {
  const path = `fuzz-${parser}-${values.seed}-${number}.bin`;
  writeFileSync(path, input);
  return path;
}
