/** Self-signed certificates for localhost, made by the `openssl` command. */
import { readFileSync } from "node:fs";
import { TempDir } from "./temp-dir.ts";

interface TestCertificate {
  readonly key: string;
  readonly cert: string;
}

const made = new Map<string, TestCertificate>();

/** PEM texts; the certificate is its own authority. One for each `name`, which is its common name. */
export function testCertificate(name = "localhost"): TestCertificate {
  const known = made.get(name);
  if (known !== undefined) return known;
  const folder = new TempDir("tls");
  const [key, cert] = [folder.join("key.pem"), folder.join("cert.pem")];
  const args = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650";
  const names = "subjectAltName=DNS:localhost,IP:127.0.0.1";
  const run = Bun.spawnSync([
    "openssl",
    ...args.split(" "),
    "-subj",
    `/CN=${name}`,
    "-addext",
    names,
    "-keyout",
    key,
    "-out",
    cert,
  ]);
  if (run.exitCode !== 0) throw new Error(`openssl failed: ${run.stderr.toString()}`);
  const pair = { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
  folder.remove();
  made.set(name, pair);
  return pair;
}
