/**
 * Makes a failing plan smaller: takes out ever smaller runs of steps for as long as something still fails.
 * What fails may change on the way; the smallest failing plan is worth reading either way.
 */
import type { Plan, Step } from "./plan.ts";

/** @param budget runs to spend at most */
export async function shrink(
  plan: Plan,
  fails: (plan: Plan) => Promise<boolean>,
  budget = 200,
): Promise<Plan> {
  let steps: readonly Step[] = plan.steps;
  let left = budget;
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < steps.length && left > 0; ) {
      const fewer = [...steps.slice(0, from), ...steps.slice(from + size)];
      left--;
      if (await fails({ ...plan, steps: fewer })) steps = fewer;
      else from += size;
    }
  }
  return { ...plan, steps };
}
