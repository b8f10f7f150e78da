/** Where a peer says it can be reached, as others believe it: printable ASCII of at most `PEER_ADDRESS_MAX_LENGTH`. */
import { FormatError } from "./errors.ts";
import { PEER_ADDRESS_MAX_LENGTH } from "./limits.ts";

const WORD = /^[\x21-\x7e]+$/;

/** A web address without a login. @throws FormatError `peer-address` */
export function asWebAddress(value: string): string {
  const url = isWord(value) ? URL.parse(value) : null;
  if (url !== null && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "")
    return value;
  throw new FormatError(
    "peer-address",
    `expected an http or https address without a login, got ${JSON.stringify(value)}`,
  );
}

/** The id of an iroh endpoint, or a ticket for one. @throws FormatError `peer-address` */
export function asEndpoint(value: string): string {
  if (isWord(value)) return value;
  throw new FormatError("peer-address", `expected the id of an endpoint, got ${JSON.stringify(value)}`);
}

function isWord(value: string): boolean {
  return value.length <= PEER_ADDRESS_MAX_LENGTH && WORD.test(value);
}

/** Whether two web addresses are one, logins and the slash at the end apart. */
export function isSameAddress(one: string, other: string): boolean {
  const plain = (address: string) => {
    const { origin, pathname } = new URL(address);
    return origin + pathname.replace(/\/$/, "");
  };
  return plain(one) === plain(other);
}
