import { makePlan } from "./plan.ts";
import { simulate } from "./simulation.ts";

const seed = BigInt(process.argv[2] ?? "1");
const sev = (process.argv[3] ?? "calm") as any;
const v = process.argv.includes("-v");
const t = performance.now();
const r = await simulate(makePlan(seed, sev), v ? { onTrace: (l) => console.log(l) } : {});
console.log(r, performance.now() - t);
process.exit(0);
