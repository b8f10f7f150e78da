/**
 * The options for iroh, and what they say. They count for a leaf and for addresses `iroh:TICKET` alike.
 *
 * `--iroh-relay` takes `default` (public relays, and the directory that finds an endpoint by its id), `disabled`
 * (addresses of tickets only) or the URL of a relay, with `--iroh-relay-token-file` where that wants a token.
 */
import { readFileSync } from "node:fs";
import { type Args, badValue, flag, option, text, type Values } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { UsageError } from "./errors.ts";
import type { IrohRelay } from "./iroh-endpoint.ts";
import { silentLogger } from "./log.ts";
import type { Transport } from "./transport.ts";

export const IROH_ARGS = {
  irohKey: option(
    {
      description:
        "file with the key that iroh peers know this one by; made if missing; default REPO.iroh-key",
      valueHint: "FILE",
    },
    text,
  ),
  irohRelay: option(
    {
      description: "how iroh peers find one another: default, disabled or the URL of a relay",
      valueHint: "RELAY",
      default: "default",
    },
    (value) => {
      if (value === "default" || value === "disabled") return value;
      const url = URL.parse(value);
      return url !== null && /^https?:$/.test(url.protocol)
        ? url.href
        : badValue("default, disabled or the http(s) URL of a relay", value);
    },
  ),
  irohRelayTokenFile: option({ description: "file with the token for that relay", valueHint: "FILE" }, text),
} satisfies Args;

/** For a leaf. */
export const IROH_LEAF_ARGS = {
  ...IROH_ARGS,
  iroh: flag({ description: "answer iroh peers that are allowed, through routers and over relays" }),
  irohPeer: option(
    {
      description: "stay linked to the leaf with this endpoint, which may connect here, too; implies --iroh",
      valueHint: "ID|TICKET",
      repeat: true,
    },
    text,
  ),
  irohAllow: option(
    {
      description: "let this endpoint connect, or any; those that edgesync peers allow names may in any case",
      valueHint: "ID",
      repeat: true,
    },
    text,
  ),
} satisfies Args;

export type IrohValues = Values<typeof IROH_ARGS>;

/** Where the key of a repository is unless another place is named. */
export function irohKeyFile({ irohKey }: IrohValues, repository: string): string {
  return irohKey ?? `${repository}.iroh-key`;
}

/** @throws UsageError `iroh-relay` */
export function irohRelay({ irohRelay: relay, irohRelayTokenFile: file }: IrohValues): IrohRelay {
  if (relay === "default" || relay === "disabled") {
    if (file === undefined) return relay;
    throw new UsageError("iroh-relay", "--iroh-relay-token-file needs --iroh-relay URL");
  }
  if (file === undefined) return { url: relay };
  try {
    return { url: relay, token: readFileSync(file, "utf8").trim() };
  } catch (cause) {
    throw new UsageError("iroh-relay", `--iroh-relay-token-file: the file ${file} cannot be read`, { cause });
  }
}

/**
 * A wire to an endpoint, for one command: with the key of the repository.
 *
 * @throws EdgeSyncError `no-iroh`, `iroh-key`, `iroh-endpoint`; UsageError `iroh-relay`, `iroh-address`
 */
export async function irohTransport(
  address: string,
  values: IrohValues,
  repository: string,
  { clock, random }: CliContext,
): Promise<Transport> {
  const [{ IrohEndpoint }, { IrohTransport }, { readIrohKey }] = await Promise.all([
    import("./iroh-endpoint.ts"),
    import("./transport-iroh.ts"),
    import("./iroh-key.ts"),
  ]);
  const relay = irohRelay(values);
  const secretKey = readIrohKey(irohKeyFile(values, repository), random);
  const endpoint = await IrohEndpoint.start({ secretKey, relay }, { clock, log: silentLogger });
  try {
    return new IrohTransport({ endpoint, address, clock, ownsEndpoint: true });
  } catch (error) {
    await endpoint.close();
    throw error;
  }
}
