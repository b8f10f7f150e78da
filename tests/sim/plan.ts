/**
 * The plan of a run: what people do and what befalls machines and network, when. It is made from the seed
 * before anything runs, as a list, so that a failing run can be shrunk by taking steps out of it.
 */
import { Dice } from "./dice.ts";
import { LIES, type Lie } from "./liar.ts";
import { chooseDeed, type Deed } from "./life.ts";
import { FAULTS, type Severity } from "./severity.ts";

interface At {
  /** Simulated milliseconds since the beginning. */
  readonly at: number;
  /** Number of the node it happens to. */
  readonly node: number;
}

export type Step = At &
  (
    | { readonly kind: "deed"; readonly deed: Deed; readonly seed: bigint }
    | { readonly kind: "sync"; readonly peer: number }
    | { readonly kind: "clone"; readonly peer: number; readonly seed: bigint }
    /** The administrator of the machine gives Tom these rights there. */
    | { readonly kind: "grant"; readonly capabilities: string }
    /** The administrator of the machine gives Tom another password there, or his own back. */
    | { readonly kind: "password"; readonly isOwn: boolean }
    | { readonly kind: "crash"; readonly forMs: number }
    | { readonly kind: "partition"; readonly peer: number; readonly oneWay: boolean; readonly forMs: number }
    | { readonly kind: "clock"; readonly byMs: number }
    | { readonly kind: "disk"; readonly pages: number; readonly forMs: number }
    | { readonly kind: "liar"; readonly lie: Lie; readonly seed: bigint }
  );

export const WAYS = ["http", "both", "nats"] as const;
export type Ways = (typeof WAYS)[number];

/** What Tom may do, who is nobody special. */
export const GRANTS = ["", "o", "gio", "gioy"] as const;

export interface Plan {
  readonly seed: bigint;
  readonly severity: Severity;
  readonly nodeCount: number;
  /** Capabilities of a stranger in this project. */
  readonly nobody: string;
  /** How machines reach one another: by name as over HTTP, over NATS, or in both ways. */
  readonly ways: Ways;
  /** The last machine is on no NATS and known to nobody: a bridge leads to it. */
  readonly hasBridge: boolean;
  /** How often each machine asks each other one it knows, in simulated milliseconds. */
  readonly pollMs: number;
  readonly steps: readonly Step[];
}

/** How long people work, in simulated milliseconds. */
export const WORK_MS = 600_000;

export function makePlan(seed: bigint, severity: Severity): Plan {
  const dice = new Dice(seed);
  const nodeCount = 2 + dice.below(3);
  const ways = dice.weighted({ http: 70, both: 15, nats: 15 });
  // Over NATS nobody logs in.
  const nobody = dice.pick(
    ways === "nats" ? ["o", "go", "gio", "gox"] : ["", "o", "go", "gio", "gioy", "x", "gox"],
  );
  const hasBridge = ways === "nats" && nodeCount > 2 && dice.chance(0.5);
  const pollMs = dice.pick(ways === "http" ? [60_000, 180_000, 420_000] : [60_000, 180_000]);
  const count = 20 + dice.below(40);
  const steps: Step[] = [];
  const weights = { deed: 75, sync: 25, clone: 4, grant: 3, password: 2, ...FAULTS[severity].weights };
  for (let i = 0; i < count; i++) {
    const at = dice.between(0, WORK_MS);
    const node = dice.below(nodeCount);
    const peer = (node + 1 + dice.below(nodeCount - 1)) % nodeCount;
    const forMs = dice.between(1_000, 120_000);
    const kind = dice.weighted(weights);
    switch (kind) {
      case "deed":
        steps.push({ at, node, kind, deed: chooseDeed(dice), seed: dice.seed() });
        break;
      case "sync":
        steps.push({ at, node, kind, peer });
        break;
      case "clone":
        steps.push({ at, node, kind, peer, seed: dice.seed() });
        break;
      case "grant":
        steps.push({ at, node, kind, capabilities: dice.pick(GRANTS) });
        break;
      case "password":
        steps.push({ at, node, kind, isOwn: dice.chance(0.3) });
        break;
      case "crash":
        steps.push({ at, node, kind, forMs });
        break;
      case "partition":
        steps.push({ at, node, kind, peer, oneWay: dice.chance(0.4), forMs });
        break;
      case "clock":
        steps.push({ at, node, kind, byMs: dice.between(-3_600_000, 3_600_000) });
        break;
      case "disk":
        steps.push({ at, node, kind, pages: dice.below(20), forMs });
        break;
      case "liar":
        steps.push({ at, node, kind, lie: dice.pick(LIES), seed: dice.seed() });
        break;
    }
  }
  return {
    seed,
    severity,
    nodeCount,
    nobody,
    ways,
    hasBridge,
    pollMs,
    steps: steps.sort((a, b) => a.at - b.at),
  };
}

export function describeStep(step: Step): string {
  const { at, node, kind, ...rest } = step;
  const details = Object.entries(rest).map(
    ([name, value]) => `${name}=${typeof value === "number" ? Math.round(value) : value}`,
  );
  return `${(at / 1000).toFixed(1)}s node${node} ${kind} ${details.join(" ")}`;
}
