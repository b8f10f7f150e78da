/** Options that say in whose name, and as of when, an artifact is made. */
import type { CheckoutSettings } from "./checkout-settings.ts";
import { type Args, option, text, type Values } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { actingUser } from "./cli-user.ts";
import { moment } from "./cli-values.ts";
import type { Repo } from "./repo.ts";
import type { Signature } from "./repo-control.ts";
import type { Signer } from "./repo-sign.ts";

export const SIGNATURE_ARGS = {
  user: option({ description: "in whose name", valueHint: "LOGIN" }, text),
  dateOverride: option({ description: "as of when (UTC); now", valueHint: "DATE" }, moment("first")),
} satisfies Args;

/** @throws UsageError `no-user` */
export function signature(
  { user, dateOverride }: Values<typeof SIGNATURE_ARGS>,
  repo: Repo,
  { env }: CliContext,
): Signature {
  return {
    user: actingUser(user, env, repo.config),
    ...(dateOverride !== undefined && { date: dateOverride }),
  };
}

/** What signs manifests, where the setting `clearsign` asks for it. */
export async function signerFor(settings: CheckoutSettings): Promise<Signer | undefined> {
  if (!settings.isOn("clearsign", false)) return undefined;
  return (await import("./cli-clearsign.ts")).signer(settings);
}
