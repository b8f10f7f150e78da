/** Who asks and for what: `login`, `pull`, `push`, and the pragmas that set the terms. Rules: fossil-facts C, D. */
import { Capabilities } from "./repo-capability.ts";
import { verifyLogin } from "./sync-login.ts";
import { checkClustersDue } from "./sync-server-announce.ts";
import { ExchangeRefused, type ServerExchange } from "./sync-server-exchange.ts";
import { TEXTS } from "./sync-server-texts.ts";
import { PROTOCOL_VERSION } from "./sync-version.ts";
import type { LoginCard, PullCard, PushCard, VersionPragma } from "./xfer-card.ts";

/** @param covered the bytes that the login's nonce is the hash of */
export function handleLogin(x: ServerExchange, card: LoginCard, covered: Uint8Array): void {
  if (++x.loginCount > 1) {
    x.fail(TEXTS.multipleLogins);
    return;
  }
  const result = verifyLogin(x.repo, card, covered);
  if (result.kind === "failed") {
    x.fail(TEXTS.loginFailed);
    return;
  }
  if (result.kind === "open") return;
  const { login } = result.user;
  x.user = login;
  x.nonce = card.nonce;
  // Rights add up: a login takes none away.
  x.capabilities = Capabilities.from(`${x.capabilities}${Capabilities.of(x.repo.users, login)}`);
}

export function handlePull(x: ServerExchange, card: PullCard): void {
  if (!isThisProject(x, card)) {
    x.fail(TEXTS.wrongProject);
    return;
  }
  if (!x.allows("pull")) {
    x.fail(TEXTS.noRead);
    return;
  }
  // Better now than after the work: a reader is to hand the request on as early as it can.
  checkClustersDue(x);
  x.isPull = true;
}

export function handlePush(x: ServerExchange, card: PushCard): void {
  if (!isThisProject(x, card)) {
    x.fail(TEXTS.wrongProject);
    return;
  }
  if (x.allows("push")) {
    x.isPush = true;
  } else if (x.isPull) {
    x.out.card({ type: "message", text: TEXTS.pullOnly });
  } else {
    // Stock reads on: a later card may be refused in turn.
    x.refuse(TEXTS.noWrite);
  }
}

export function handleClientVersion(x: ServerExchange, { version, date, time }: VersionPragma): void {
  x.remote = { version, date: 0, time: 0 };
  if (date === undefined || time === undefined) return;
  x.remote = { version, date, time };
  x.out.card({ type: "pragma server-version", ...PROTOCOL_VERSION });
}

export function handleSendPrivate(x: ServerExchange): void {
  if (x.allows("pragma send-private")) x.wantsPrivate = true;
  else x.out.card({ type: "error", text: TEXTS.noPrivate });
}

function isThisProject(x: ServerExchange, { projectCode }: PullCard | PushCard): boolean {
  const own = x.repo.config.projectCode;
  if (own === undefined) throw new ExchangeRefused("no-project-code", "missing project code");
  return projectCode === own;
}
