/** A self-signed certificate for localhost, made by the `openssl` command. */
import { readFileSync } from "node:fs";
import { TempDir } from "./temp-dir.ts";

let made: { readonly key: string; readonly cert: string } | undefined;

/** PEM texts; the certificate is its own authority. */
export function testCertificate(): { readonly key: string; readonly cert: string } {
  if (made !== undefined) return made;
  const folder = new TempDir("tls");
  const [key, cert] = [folder.join("key.pem"), folder.join("cert.pem")];
  const args =
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj /CN=localhost";
  const names = "subjectAltName=DNS:localhost,IP:127.0.0.1";
  const run = Bun.spawnSync(["openssl", ...args.split(" "), "-addext", names, "-keyout", key, "-out", cert]);
  if (run.exitCode !== 0) throw new Error(`openssl failed: ${run.stderr.toString()}`);
  made = { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
  folder.remove();
  return made;
}
