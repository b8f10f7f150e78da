/** `edgesync repo co`: another check-in in an unchanged checkout. */
import { switchTo } from "./checkout-switch.ts";
import { withCheckout } from "./cli-checkout.ts";
import { checkInFacts, describeCheckIn } from "./cli-checkout-info.ts";
import { command, flag, positional } from "./cli-command.ts";
import { resolveName } from "./repo-name.ts";

export const coCommand = command({
  description: "checks another version out; changes that are not committed stop it",
  args: {
    version: positional({ description: "what to check out", required: true }),
    force: flag({ description: "changes that are not committed are lost", alias: ["f"] }),
    keep: flag({ description: "leave all files as they are", alias: ["k"] }),
    forceMissing: flag({ description: "leave out files whose content is not here" }),
    setmtime: flag({ description: "give files the times of their check-ins" }),
  },
  examples: [
    { line: "edgesync repo co release-1.0", about: "a tag; update keeps local changes, co does not" },
    { line: "edgesync repo co --keep trunk", about: "takes the files as they are for changes of trunk" },
  ],
  run: async ({ version, force, keep, forceMissing, setmtime }, context) => {
    await withCheckout(context, "read", (checkout) => {
      const { repo, checkIn } = checkout;
      const target = resolveName(repo, version, {
        type: "ci",
        ...(checkIn !== undefined && { checkout: checkIn }),
      });
      const change = switchTo(checkout, target, { force, keep, forceMissing, setTimes: setmtime });
      const facts = checkInFacts(repo, target);
      context.out.result({ checkIn: facts, written: change.written, removed: change.removed }, () =>
        [...change.written.map((name) => `${name}\n`), describeCheckIn("checkout:", facts, false)].join(""),
      );
    });
  },
});
