/**
 * The options for NATS servers on the network, and the connections made with them. They count for `--nats` of a leaf and
 * for addresses `nats://…` alike. The files are read before each connection, so that they may be renewed. A login in such an address is the server's and goes before the options; it is not
 * remembered with the address.
 */
import { readFileSync } from "node:fs";
import { type Args, badValue, option, text, type Values } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { UsageError } from "./errors.ts";
import type { Logger } from "./log.ts";
import { silentLogger } from "./log.ts";
import type { ExternalLink, NatsLogin } from "./nats-link-external.ts";
import { isValidSubject } from "./nats-subject.ts";
import { release } from "./release.ts";

export const DEFAULT_PREFIX = "fossil";

export const NATS_ARGS = {
  prefix: option(
    { description: "first part of the NATS subjects", valueHint: "NAME", default: DEFAULT_PREFIX },
    (value) => (isValidSubject(value) ? value : badValue("a NATS subject", value)),
  ),
  natsCreds: option(
    { description: "credentials file of the NATS user (JWT and seed)", valueHint: "FILE" },
    text,
  ),
  natsNkey: option({ description: "file with the nkey seed of the NATS user", valueHint: "FILE" }, text),
  natsToken: option({ description: "token for the NATS server", valueHint: "TOKEN" }, text),
  natsUser: option({ description: "NATS user", valueHint: "NAME" }, text),
  natsPassword: option({ description: "password of the NATS user", valueHint: "PASSWORD" }, text),
  natsTlsCa: option(
    { description: "certificates (PEM) that the NATS server's must be signed with", valueHint: "FILE" },
    text,
  ),
  natsTlsCert: option(
    { description: "certificate (PEM) to show to the NATS server", valueHint: "FILE" },
    text,
  ),
  natsTlsKey: option({ description: "its key (PEM)", valueHint: "FILE" }, text),
} satisfies Args;

export type NatsValues = Values<typeof NATS_ARGS>;

/** @throws UsageError `nats-credentials` when a file cannot be read or half of a pair is missing */
function natsLogin(values: NatsValues): NatsLogin {
  const { natsUser: user, natsPassword: password, natsToken: token } = values;
  const creds = read("--nats-creds", values.natsCreds);
  const nkeySeed = read("--nats-nkey", values.natsNkey);
  const ca = read("--nats-tls-ca", values.natsTlsCa);
  const shown = shownToNats(values);
  if (password !== undefined && user === undefined) {
    throw new UsageError("nats-credentials", "--nats-password needs --nats-user");
  }
  return {
    ...(user !== undefined && { user }),
    ...(password !== undefined && { password }),
    ...(token !== undefined && { token }),
    ...(creds !== undefined && { creds }),
    ...(nkeySeed !== undefined && { nkeySeed }),
    ...((ca !== undefined || shown !== undefined) && {
      tls: { ...(ca !== undefined && { ca }), ...shown },
    }),
  };
}

/**
 * The certificate to show to NATS servers that ask for one, and its key.
 *
 * @throws UsageError as `natsLogin`
 */
export function shownToNats(
  values: Pick<NatsValues, "natsTlsCert" | "natsTlsKey">,
): { readonly cert: string; readonly key: string } | undefined {
  const cert = read("--nats-tls-cert", values.natsTlsCert);
  const key = read("--nats-tls-key", values.natsTlsKey);
  if (cert === undefined && key === undefined) return undefined;
  if (cert !== undefined && key !== undefined) return { cert, key };
  throw new UsageError("nats-credentials", "--nats-tls-cert and --nats-tls-key belong together");
}

/**
 * A link to these servers, which connects in the background.
 *
 * @throws UsageError `nats-url`, `nats-credentials`
 */
export async function openNats(
  servers: readonly string[],
  values: NatsValues,
  { clock, random }: Pick<CliContext, "clock" | "random">,
  log: Logger = silentLogger,
): Promise<ExternalLink> {
  const login = () => natsLogin(values);
  // What is wrong with it from the beginning is told now.
  login();
  const { ExternalLink } = await import("./nats-link-external.ts");
  const connectionName = `edgesync ${release.version}`;
  return new ExternalLink({ servers, connectionName, login }, { clock, random, log });
}

function read(name: string, file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new UsageError("nats-credentials", `${name}: the file ${file} cannot be read`, { cause });
  }
}
