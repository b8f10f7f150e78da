/** The options for TLS on a daemon's own listeners, and the texts in the files that they name. */
import { readFileSync } from "node:fs";
import { type Args, option, text, type Values } from "./cli-command.ts";
import { UsageError } from "./errors.ts";

export const TLS_ARGS = {
  tlsCert: option(
    {
      description: "TLS on the HTTP and NATS listeners: the certificate and its chain (PEM)",
      valueHint: "FILE",
    },
    text,
  ),
  tlsKey: option({ description: "the key of --tls-cert (PEM)", valueHint: "FILE" }, text),
} satisfies Args;

/** @throws UsageError `tls-pair`, `tls-file` */
export function listenerTls({
  tlsCert,
  tlsKey,
}: Values<typeof TLS_ARGS>): { readonly cert: string; readonly key: string } | undefined {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new UsageError("tls-pair", "--tls-cert and --tls-key go together", { hint: "give both" });
  }
  return { cert: readPem("--tls-cert", tlsCert), key: readPem("--tls-key", tlsKey) };
}

/**
 * The text of a file of certificates or keys.
 *
 * @throws UsageError `tls-file` when it cannot be read or holds none
 */
export function readPem(name: string, file: string): string {
  let pem: string;
  try {
    pem = readFileSync(file, "utf8");
  } catch (cause) {
    throw new UsageError("tls-file", `${name}: the file ${file} cannot be read`, { cause });
  }
  if (!pem.includes("-----BEGIN ")) throw new UsageError("tls-file", `${name}: expected PEM in ${file}`);
  return pem;
}
