/**
 * Addresses to listen on, as written on the command line: `HOST:PORT`, `:PORT` (all interfaces),
 * `[IPV6]:PORT`, or `HOST` alone with the default port. Port 0 asks the system for a free one.
 */
import { EdgeSyncError, UsageError } from "./errors.ts";

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

const ADDRESS = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*))(?::(\d{1,5}))?$/;

/** @throws UsageError `address-syntax` */
export function parseListenAddress(value: string, defaultPort: number): ListenAddress {
  const match = ADDRESS.exec(value.trim());
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  if (match === null || port > 65_535 || (match[3] === undefined && value.trim() === "")) {
    throw new UsageError(
      "address-syntax",
      `expected HOST:PORT, :PORT or [IPV6]:PORT, got ${JSON.stringify(value)}`,
    );
  }
  return { host: match[1] ?? (match[2] || "0.0.0.0"), port };
}

/** Whether only this machine can reach it. */
export function isLoopback(address: ListenAddress): boolean {
  return address.host === "localhost" || address.host === "::1" || address.host.startsWith("127.");
}

/** By the system's code. `ENOENT` is Bun's word for a name that no address was found for. */
const REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EADDRNOTAVAIL: "it is no address of this machine",
  ENOENT: "no such host",
  ENOTFOUND: "no such host",
};

/** What to throw when listening on `address` failed: EdgeSyncError `address-in-use` or `address-unavailable`. */
export function listenFailure(address: ListenAddress, cause: unknown): EdgeSyncError {
  const where = `${address.host}:${address.port}`;
  const data = { address: where };
  if ((cause as { code?: string }).code === "EADDRINUSE") {
    return new EdgeSyncError("address-in-use", `cannot listen on ${where}: the address is in use`, {
      cause,
      hint: "stop the other program, or choose another port",
      data,
    });
  }
  const reason = REASONS[(cause as { code?: string }).code ?? ""] ?? (cause as Error).message;
  return new EdgeSyncError("address-unavailable", `cannot listen on ${where}: ${reason}`, {
    cause,
    hint: "choose an address of this machine, and a port that you may open",
    data,
  });
}
