/** Options of commands that serve HTTP: how many they serve at the same time, whose address counts, who sees metrics. */
import { type Args, flag, option, type Values } from "./cli-command.ts";
import { integer } from "./cli-values.ts";
import type { LeafOptions } from "./leaf.ts";
import {
  HTTP_ADDRESS_CLONE_MAX_COUNT,
  HTTP_ADDRESS_VISIT_MAX_COUNT,
  HTTP_VISIT_MAX_COUNT,
} from "./limits.ts";

const COUNT = integer(1, 1_000_000);

export const PUBLIC_METRICS = flag({ description: "other machines may read /metrics, too" });

export const HTTP_LIMIT_ARGS = {
  maxConnections: option(
    {
      description: "serve this many HTTP exchanges at once; others are told to come later",
      valueHint: "N",
      default: String(HTTP_VISIT_MAX_COUNT),
    },
    COUNT,
  ),
  maxConnectionsPerAddress: option(
    {
      description: "serve this many HTTP exchanges at once to one address",
      valueHint: "N",
      default: String(HTTP_ADDRESS_VISIT_MAX_COUNT),
    },
    COUNT,
  ),
  maxClonesPerAddress: option(
    {
      description: "serve this many clones at once to one address",
      valueHint: "N",
      default: String(HTTP_ADDRESS_CLONE_MAX_COUNT),
    },
    COUNT,
  ),
  trustProxy: flag({
    description:
      "the last address of X-Forwarded-For is the client's; only where nobody but a proxy that writes it can connect",
  }),
  publicMetrics: PUBLIC_METRICS,
} satisfies Args;

export function httpLimits(
  args: Values<typeof HTTP_LIMIT_ARGS>,
): Pick<LeafOptions, "limits" | "trustProxy" | "publicMetrics"> {
  return {
    limits: {
      visitMaxCount: args.maxConnections,
      visitsPerAddressMaxCount: args.maxConnectionsPerAddress,
      clonesPerAddressMaxCount: args.maxClonesPerAddress,
    },
    trustProxy: args.trustProxy,
    publicMetrics: args.publicMetrics,
  };
}
