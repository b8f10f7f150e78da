/**
 * Signed manifests, as the setting `clearsign` asks for: the command of the setting `pgp-command` (`gpg --clearsign -o` unless set) is
 * given the file to make and the file that holds the manifest. A command whose name begins with `ssh` is given the manifest alone
 * and leaves a signature beside it, with `.sig` at its end, which is put below the manifest with the head that Fossil 2.26
 * and later know. The setting `omitsign`, or `off` as the command, turns it off; private check-ins are never signed.
 *
 * Source: Fossil `src/clearsign.c`; `src/checkin.c`.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { concat, utf8 } from "./bytes.ts";
import type { CheckoutSettings } from "./checkout-settings.ts";
import { runShell } from "./cli-shell.ts";
import { RepoError } from "./errors.ts";
import type { Signer } from "./repo-sign.ts";

const DEFAULT_COMMAND = "gpg --clearsign -o ";
const SSH_HEAD = "-----BEGIN SSH SIGNED MESSAGE-----\n\n";

/** What signs a manifest; `undefined` when the settings ask for no signature. */
export function signer(settings: CheckoutSettings): Signer | undefined {
  if (!settings.isOn("clearsign", false) || settings.isOn("omitsign", false)) return undefined;
  const command = settings.get("pgp-command") ?? DEFAULT_COMMAND;
  if (/^(?:off|no|false|0)$/i.test(command.trim())) return undefined;
  return (manifest) => sign(command, manifest);
}

/** @throws RepoError `signing-failed` */
function sign(command: string, manifest: Uint8Array): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), "edgesync-sign-"));
  const [plain, signed] = [join(folder, "manifest"), join(folder, "signed")];
  const isSsh = /^ssh/.test(basename(command.trim().split(/\s/)[0]!));
  try {
    writeFileSync(plain, manifest, { mode: 0o600 });
    const status = runShell(command.trim(), isSsh ? [plain] : [signed, plain]);
    if (status !== 0) throw unsigned(`${command.trim()} ended with status ${status}`);
    return isSsh ? concat([utf8(SSH_HEAD), manifest, readFileSync(`${plain}.sig`)]) : readFileSync(signed);
  } catch (cause) {
    if (cause instanceof RepoError) throw cause;
    throw unsigned("the signer left no signature", cause);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function unsigned(why: string, cause?: unknown): RepoError {
  return new RepoError("signing-failed", `the check-in could not be signed: ${why}`, {
    hint: "mend the settings clearsign and pgp-command, or commit with --no-sign",
    cause,
  });
}
