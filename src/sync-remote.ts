/**
 * Addresses of peers, as users write them and as a repository remembers them.
 *
 *     http[s]://[USER[:PASSWORD]@]HOST[:PORT][/PATH]    a Fossil or EdgeSync server
 *     nats|tls://[LOGIN@]HOST[:PORT]/PROJECT-CODE[?peer=ID&prefix=NAME]
 *                                                       the peers of a project that a NATS server connects, or one
 *     iroh:TICKET                                       a peer of the iroh mesh, by its ticket or its id
 *     [file://]PATH                                     a repository on this machine
 *     NAME                                              a remote of the repository (`fossil remote add`)
 *
 * USER, PASSWORD and PATH are percent-encoded; as in stock, `+` in them is a space.
 *
 * The canonical form is stock's (Fossil `src/url.c`): the login and no password, the host in lower case, no
 * default port, no query, letters, digits and `.$~-_` as they are, in paths `/` and `:` too, a space as `+`,
 * anything else as `%XX`; a file as `file://` and its absolute path. It is what is remembered, and what is
 * compared to tell whether two addresses are the same. The login of a NATS server is not part of it.
 */
import { resolve } from "node:path";
import { text, utf8 } from "./bytes.ts";
import { UsageError } from "./errors.ts";
import { isValidSubject } from "./nats-subject.ts";
import type { Repo } from "./repo.ts";
import { defaultRemote, namedRemote, type RememberedRemote } from "./repo-remote.ts";

interface AnyRemote {
  /** Canonical form. */
  readonly url: string;
}

/** A server on the web. */
export interface HttpRemote extends AnyRemote {
  readonly kind: "http";
  /** Where to send requests: without the login. */
  readonly address: string;
  readonly user: string | undefined;
  readonly password: string | undefined;
}

/** A repository on this machine. */
export interface FileRemote extends AnyRemote {
  readonly kind: "file";
  readonly path: string;
}

/** The peers of a project, by way of a NATS server. */
export interface NatsRemote extends AnyRemote {
  readonly kind: "nats";
  /** The server, with the login that was written. */
  readonly server: string;
  readonly projectCode: string;
  /** The peer to ask; any when undefined. */
  readonly peerId: string | undefined;
  /** First part of the subjects; undefined: the usual one. */
  readonly prefix: string | undefined;
}

/** A peer of the iroh mesh. */
export interface IrohRemote extends AnyRemote {
  readonly kind: "iroh";
  /** Ticket or id. */
  readonly endpoint: string;
}

export type Remote = HttpRemote | NatsRemote | IrohRemote | FileRemote;

const WEB = /^(https?):\/\/(?:([^/?#@]*)@)?(\[[0-9a-f:.]+\]|[^/?#@:[\]]+)(?::(\d*))?(\/[^?#]*)?(?:[?#].*)?$/i;
const NATS =
  /^(nats|tls):\/\/(?:([^/?#@]*)@)?(\[[0-9a-f:.]+\]|[^/?#@:[\]]+)(?::(\d{1,5}))?\/([0-9a-f]{40,64})\/?(?:\?([^#]*))?$/i;
const NATS_PORT = 4222;
/** An id has 52 characters at least, and what a peer tells of itself no more than this. */
const IROH = /^iroh:([a-z0-9]{52,1024})$/i;
const SCHEME = /^([a-z][a-z0-9+.-]+):/i;
const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: "80", https: "443" };

/**
 * Reads an address.
 *
 * @param folder what a relative path is relative to
 * @throws UsageError `bad-remote`
 */
export function parseRemote(written: string, folder = "."): Remote {
  if (/^https?:/i.test(written)) return parseWeb(written);
  if (/^(?:nats|tls):/i.test(written)) return parseNats(written);
  if (/^iroh:/i.test(written)) return parseIroh(written);
  if (/^file:/i.test(written)) return fileRemote(decode(written.replace(/^file:(?:\/\/)?/i, "")), folder);
  const scheme = SCHEME.exec(written)?.[1];
  // One letter is a drive of Windows.
  if (scheme !== undefined && written.startsWith(`${scheme}://`)) {
    throw new UsageError("bad-remote", `addresses that start with ${scheme}:// are not supported`, {
      hint: "use http://, https://, nats://, iroh: or the path of a repository",
    });
  }
  if (written === "") throw new UsageError("bad-remote", "the address of the remote is empty");
  return fileRemote(written, folder);
}

/** What to sync with: an address or a remembered name; the default remote when nothing is given. */
export interface FoundRemote {
  readonly remote: Remote;
  /** As remembered with it. */
  readonly password: string | undefined;
}

/** @throws UsageError `no-remote` when there is no default, `bad-remote` */
export function findRemote(repo: Repo, given: string | undefined, folder = "."): FoundRemote {
  const known = given === undefined ? defaultRemote(repo) : namedRemote(repo, given);
  if (known !== undefined) return remembered(known, folder);
  if (given === undefined) {
    throw new UsageError("no-remote", `${repo.path} remembers no remote to sync with`, {
      hint: "name one: edgesync sync sync URL",
    });
  }
  const remote = parseRemote(given, folder);
  const fallback = defaultRemote(repo);
  return { remote, password: fallback?.url === remote.url ? fallback.password : undefined };
}

function remembered({ url, password }: RememberedRemote, folder: string): FoundRemote {
  return { remote: parseRemote(url, folder), password };
}

function parseWeb(written: string): HttpRemote {
  const match = WEB.exec(written);
  const port = match?.[4] ?? "";
  if (match === null || Number(port) > 65_535 || !URL.canParse(`http://${match[3]}/`)) {
    throw new UsageError("bad-remote", `${withoutPassword(written)} is not a web address`, {
      hint: "expected http[s]://[USER[:PASSWORD]@]HOST[:PORT][/PATH]",
    });
  }
  const scheme = match[1]!.toLowerCase();
  const [user, password] = credentials(match[2]);
  const host = `${match[3]!.toLowerCase()}${port === "" || port === DEFAULT_PORTS[scheme] ? "" : `:${Number(port)}`}`;
  const path = encode(decode(match[5] ?? ""), PATH_UNSAFE);
  const login = user === undefined ? "" : `${encode(user, NAME_UNSAFE)}@`;
  const address = `${scheme}://${host}${path}`;
  return { kind: "http", url: `${scheme}://${login}${host}${path}`, address, user, password };
}

function parseNats(written: string): NatsRemote {
  const match = NATS.exec(written);
  const query = new URLSearchParams(match?.[6] ?? "");
  const [peerId, prefix] = [query.get("peer") ?? undefined, query.get("prefix") ?? undefined];
  const isKnown = [...query.keys()].every((name) => name === "peer" || name === "prefix");
  const isRight =
    Number(match?.[4] ?? 0) <= 65_535 && [peerId, prefix].every((s) => s === undefined || isValidSubject(s));
  if (match === null || !isKnown || !isRight) {
    throw new UsageError(
      "bad-remote",
      `${withoutLogin(written)} is not the address of a project on a NATS server`,
      {
        hint: "expected nats://HOST[:PORT]/PROJECT-CODE; the project code is what edgesync repo info tells",
      },
    );
  }
  const [, scheme, login, host, port, code] = match;
  const place = `${host!.toLowerCase()}${port === undefined || Number(port) === NATS_PORT ? "" : `:${Number(port)}`}`;
  const projectCode = code!.toLowerCase();
  const suffix = query.size === 0 ? "" : `?${query}`;
  const base = `${scheme!.toLowerCase()}://`;
  return {
    kind: "nats",
    url: `${base}${place}/${projectCode}${suffix}`,
    server: `${base}${login === undefined ? "" : `${login}@`}${place}`,
    projectCode,
    peerId,
    prefix,
  };
}

function parseIroh(written: string): IrohRemote {
  const endpoint = IROH.exec(written)?.[1]?.toLowerCase();
  if (endpoint === undefined) {
    throw new UsageError("bad-remote", `${JSON.stringify(written)} is not the address of an iroh endpoint`, {
      hint: "expected iroh:TICKET; edgesync peers ticket tells that of a running leaf",
    });
  }
  return { kind: "iroh", url: `iroh:${endpoint}`, endpoint };
}

function credentials(part: string | undefined): [user: string | undefined, password: string | undefined] {
  if (part === undefined || part === "") return [undefined, undefined];
  const colon = part.indexOf(":");
  if (colon < 0) return [decode(part), undefined];
  return [decode(part.slice(0, colon)), decode(part.slice(colon + 1))];
}

function fileRemote(path: string, folder: string): FileRemote {
  const absolute = resolve(folder, path);
  return { kind: "file", url: `file://${encode(absolute, PATH_UNSAFE)}`, path: absolute };
}

/** Hides what stands between the first colon of the login and the `@`. */
function withoutPassword(written: string): string {
  // Up to the last @: what separates parts of an address may be in a password that nobody encoded.
  return written.replace(/(\/\/[^/:@]*):.*@/, "$1@");
}

/** Of NATS what is before the host alone is a token. */
function withoutLogin(written: string): string {
  return written.replace(/\/\/.*@/, "//");
}

const NAME_UNSAFE = /[^A-Za-z0-9.$~_-]/;
const PATH_UNSAFE = /[^A-Za-z0-9.$~_/:-]/;

function encode(value: string, unsafe: RegExp): string {
  let encoded = "";
  for (const byte of utf8(value)) {
    const char = String.fromCharCode(byte);
    if (!unsafe.test(char)) encoded += char;
    else if (char === " ") encoded += "+";
    else encoded += `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}

/** A `%` that is not followed by two hex digits stands for itself. */
function decode(value: string): string {
  const bytes: number[] = [];
  for (const part of value.split(/(%[0-9a-f]{2}|\+)/i)) {
    if (part === "+") bytes.push(0x20);
    else if (/^%[0-9a-f]{2}$/i.test(part)) bytes.push(Number.parseInt(part.slice(1), 16));
    else bytes.push(...utf8(part));
  }
  return text(Uint8Array.from(bytes));
}
