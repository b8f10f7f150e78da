/**
 * A client's message on its way out: the login goes over all of it, as a card in front of it or beside it as
 * a cookie, whichever the server reads (`sync-login.ts`). Rules: fossil-facts D.
 */
import { type Bytes, concat } from "./bytes.ts";
import { sharedSecret } from "./repo-user.ts";
import { loginCookie, signLogin } from "./sync-login.ts";
import { MessageWriter } from "./xfer-format.ts";

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

export interface ClientRequest {
  readonly message: Bytes;
  /** The login, where it is not in the message: the transport carries it. */
  readonly cookie: string | undefined;
}

/**
 * The request that carries `body`. Nobody and anonymous do not log in: they have no more rights if they do.
 *
 * @param asCookie whether the transport carries cookies and the server reads logins from there
 */
export function signedRequest(
  body: Bytes,
  login: Credentials | undefined,
  projectCode: string,
  asCookie: boolean,
): ClientRequest {
  if (login === undefined || login.user === "anonymous" || login.user === "nobody") {
    return { message: body, cookie: undefined };
  }
  const card = signLogin(login.user, sharedSecret(projectCode, login.user, login.password), body);
  if (asCookie) return { message: body, cookie: loginCookie(card) };
  const head = new MessageWriter();
  head.card(card);
  return { message: concat([head.finish(), body]), cookie: undefined };
}
