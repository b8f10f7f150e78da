/** The options by which commands log in to a NATS server, each at a nats-server that wants just that. */
import { afterAll, expect, test } from "bun:test";
import { nkeys } from "nats";
import { cli } from "../cli-process.ts";
import { TempDir } from "../temp-dir.ts";
import { testCertificate } from "../tls-certificate.ts";
import { startNatsServer } from "./nats-server.ts";

const folder = new TempDir("nats-login");
afterAll(() => folder.remove());

const user = nkeys.createUser();
const seed = new TextDecoder().decode(user.getSeed());
const creds = `-----BEGIN NATS USER JWT-----\nx\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`;
const { cert, key } = testCertificate();
const [certFile, keyFile] = [folder.write("cert.pem", cert), folder.write("key.pem", key)];
const ofNkey = `authorization { users: [ { nkey: ${user.getPublicKey()} } ] }`;
const files = `cert_file: "${certFile}", key_file: "${keyFile}"`;
const shown = ["--nats-tls-cert", certFile, "--nats-tls-key", keyFile];
const PROJECT = "0123456789012345678901234567890123456789";

test.each([
  [
    "a user",
    "authorization { user: u, password: p }",
    ["--nats-user", "u", "--nats-password", "p"],
    /authorization/i,
  ],
  ["a token", "authorization { token: t }", ["--nats-token", "t"], /authorization/i],
  ["an nkey", ofNkey, ["--nats-nkey", folder.write("seed", `${seed}\n`)], /authorization/i],
  ["a credentials file", ofNkey, ["--nats-creds", folder.write("creds", creds)], /authorization/i],
  ["an authority", `tls { ${files} }`, ["--nats-tls-ca", certFile], /certificate/i],
  [
    "a certificate",
    `tls { ${files}, ca_file: "${certFile}", verify: true }`,
    ["--nats-tls-ca", certFile, ...shown],
    /certificate/i,
  ],
])("with %s a command gets in, and without it does not", async (_, config, words, refusal) => {
  const nats = await startNatsServer(config);
  const url = `nats://localhost:${nats.port}/${PROJECT}`;
  const clone = (...more: string[]) => cli(["repo", "clone", url, folder.join("clone.fossil"), ...more]);
  const [inside, outside] = await Promise.all([clone(...words), clone()]);
  await nats.stop();
  // It is let in, and finds nobody of that project.
  expect([inside.code, inside.stderr]).toEqual([1, expect.stringMatching(/nobody answers|no responders/i)]);
  expect([outside.code, outside.stderr]).toEqual([1, expect.stringMatching(refusal)]);
});
