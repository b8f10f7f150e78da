/**
 * How an endpoint is written: as its id (64 hex digits, or base32), or as a ticket (`endpoint…`), which holds an id and
 * where the endpoint was at the time.
 */
import type { EndpointAddr } from "@number0/iroh";
import { UsageError } from "./errors.ts";
import type { Iroh } from "./iroh-addon.ts";

const TICKET = /^endpoint/;

/** @throws UsageError `iroh-address` */
export function parseEndpoint(
  { EndpointAddr, EndpointId, EndpointTicket }: Iroh,
  written: string,
): EndpointAddr {
  try {
    if (TICKET.test(written)) return EndpointTicket.fromString(written).endpointAddr();
    return new EndpointAddr(EndpointId.fromString(written));
  } catch {
    throw new UsageError(
      "iroh-address",
      `expected the id of an iroh endpoint or a ticket, got ${JSON.stringify(written)}`,
      { hint: "edgesync peers ticket tells that of a running leaf" },
    );
  }
}

/** The same endpoint where it is said to be by either. */
export function mergeEndpoints({ EndpointAddr }: Iroh, one: EndpointAddr, other: EndpointAddr): EndpointAddr {
  const addresses = new Set([...other.directAddresses(), ...one.directAddresses()]);
  return new EndpointAddr(one.id(), other.relayUrl() ?? one.relayUrl(), [...addresses]);
}
