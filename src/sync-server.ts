/**
 * The answering side of the sync protocol: a message and a repository in, a message out. It knows no
 * sockets; HTTP, NATS, iroh, tests and the simulator all call it.
 *
 * A request is one transaction. On a connection that may write it is a `BEGIN IMMEDIATE`, and what it
 * received is there when the reply is returned, or none of it is; on a reading connection it is one
 * snapshot, and a request that has to write throws `WriteNeeded` without effect.
 *
 * The reply is framed as the request was, except that pages of `clone 3` travel raw. A request that cannot
 * be served at all (damaged, too large, content that is not what its name says, a locked repository)
 * throws; `errorReply` turns that into a reply that a stock client shows to its user. Stock itself answers
 * such a request with HTTP 400 and a page of HTML, of which its client shows only "Bad Request".
 *
 * Rules: fossil-facts A–D, G. Where this differs from stock: docs/sync-protocol.md.
 */
import { type Bytes, EMPTY } from "./bytes.ts";
import type { Clock } from "./clock.ts";
import { EdgeSyncError, FormatError, HashMismatchError, LimitError, RepoError } from "./errors.ts";
import { faultPoint } from "./fault-point.ts";
import { formatDateTime } from "./julian.ts";
import type { Repo } from "./repo.ts";
import { Capabilities } from "./repo-capability.ts";
import { loginFromCookie } from "./sync-login.ts";
import { announce } from "./sync-server-announce.ts";
import { handleCard } from "./sync-server-cards.ts";
import {
  ExchangeRefused,
  type ExchangeSettings,
  ServerExchange,
  WriteNeeded,
} from "./sync-server-exchange.ts";
import { TEXTS } from "./sync-server-texts.ts";
import type { Card } from "./xfer-card.ts";
import { type MessageSink, MessageWriter } from "./xfer-format.ts";
import { decodeMessage, encodeMessage, type Framing, framingOf, type MessageLimits } from "./xfer-message.ts";
import { CardReader } from "./xfer-parse.ts";

export { WriteNeeded };

/** What one exchange was for. */
export type Operation = "clone" | "pull" | "push" | "sync" | "uv" | "config" | "ping" | "invalid";

export interface ServeFacts {
  readonly operation: Operation;
  readonly artifactsReceived: number;
  readonly artifactsSent: number;
  /** As the reply's last line says. */
  readonly errors: number;
  /** Login, when there was one and it was right. */
  readonly user: string | undefined;
  /** Of a page of a clone: the sequence that asks for the next one, 0 after the last. */
  readonly nextPage: number | undefined;
}

/** Who sends a message, beside what it says itself. */
export interface Caller {
  /** Recorded with what is received. */
  readonly address: string;
  /** The `Cookie` header, where there is one: newer clients log in through it. */
  readonly cookie: string | undefined;
  /** The caller has the file itself, and so every right to it. */
  readonly isOwner?: boolean;
}

export interface ServeRequest extends Caller {
  readonly contentType: string;
  readonly body: Uint8Array;
}

export interface ServeOptions {
  readonly limits?: MessageLimits;
  /** Where a reply that travels raw goes while it is written; the body is then only the rest. */
  readonly sink?: MessageSink | undefined;
  /** The repository cannot be written by anybody here. */
  readonly isReadOnly?: boolean;
  /** How to frame the reply; default as the request, and pages of a clone raw. */
  readonly replyFraming?: Framing;
  /** Largest body of the reply: for wires that carry no more. */
  readonly replyMaxBytes?: number;
}

export interface ServeReply {
  readonly contentType: string;
  readonly body: Bytes;
  readonly facts: ServeFacts;
}

/**
 * Answers one request as it travels: framed, with its content type.
 *
 * @throws WriteNeeded on a repository opened for reading
 * @throws FormatError, LimitError: the request is damaged or too large, or the reply is
 * @throws HashMismatchError and others of `ReceiveBatch`: it carried wrong content; nothing of it was kept
 * @throws RepoError: the repository is locked, damaged, or cannot grow
 */
export function serveExchange(repo: Repo, request: ServeRequest, options: ServeOptions = {}): ServeReply {
  const { sink, isReadOnly, replyFraming, replyMaxBytes } = options;
  const { framing, message } = decodeMessage(request.body, request.contentType, options.limits);
  const serve = (budgetMaxBytes?: number): ServeReply => {
    const reply = serveMessage(repo, message, request, {
      isRaw: replyFraming === "raw",
      sink,
      isReadOnly,
      budgetMaxBytes,
    });
    const { contentType, body } = encodeMessage(
      reply.message,
      replyFraming ?? (reply.isRaw ? "raw" : framing),
    );
    faultPoint("serve-reply");
    return { contentType, body, facts: reply.facts };
  };
  return replyMaxBytes === undefined ? serve() : serveWithin(replyMaxBytes, serve);
}

/** With less than this, a reply has room for nothing but what begins it. */
const REPLY_BUDGET_MIN_BYTES = 4_096;

/**
 * Serves until the reply fits: a budget is exceeded by the last artifact that is begun, and how well a reply compresses
 * shows afterwards. What was received is there after the first time, and receiving it again changes nothing.
 */
function serveWithin(bytesMax: number, serve: (budgetMaxBytes: number) => ServeReply): ServeReply {
  for (let budget = bytesMax; ; budget = Math.floor(budget / 4)) {
    const reply = serve(budget);
    if (reply.body.length <= bytesMax) return reply;
    if (budget < REPLY_BUDGET_MIN_BYTES) {
      throw new LimitError(
        "reply-size",
        `the reply has ${reply.body.length} bytes and only ${bytesMax} can be carried; sync in another way`,
      );
    }
  }
}

export interface MessageReply {
  readonly message: Bytes;
  /** To be sent without compression whatever the request did. */
  readonly isRaw: boolean;
  readonly facts: ServeFacts;
}

/** Answers one message. @throws as `serveExchange` */
export function serveMessage(
  repo: Repo,
  message: Uint8Array,
  caller: Caller,
  settings: ExchangeSettings = {},
): MessageReply {
  const x = new ServerExchange(repo, caller.address, settings);
  if (caller.isOwner === true) x.capabilities = Capabilities.from("sxy");
  return run(x, () => answer(x, message, caller.cookie));
}

/** Answers a message of a stranger that was never written down, only its cards. @throws as `serveExchange` */
export function serveCards(repo: Repo, cards: readonly Card[]): MessageReply {
  const x = new ServerExchange(repo, "");
  return run(x, () => {
    for (const card of cards) if (!x.isStopped) handleCard(x, card, EMPTY);
    finish(x);
  });
}

function run(x: ServerExchange, body: () => void): MessageReply {
  const { repo } = x;
  try {
    if (repo.db.mode === "read") repo.db.snapshot(body);
    else repo.db.write(body);
  } catch (error) {
    if (!(error instanceof ExchangeRefused)) throw error;
    x.fail(error.message);
    if (error.hasTrailer) x.out.comment(trailer(repo.clock, x.errorCount));
  }
  return { message: x.out.finish(), isRaw: x.isRawReply, facts: factsOf(x) };
}

function answer(x: ServerExchange, message: Uint8Array, cookie: string | undefined): void {
  const login = loginFromCookie(cookie);
  if (login !== undefined) handleCard(x, login, message);
  const reader = new CardReader(message, "client");
  while (!x.isStopped) {
    const card = reader.next();
    if (card === undefined) break;
    handleCard(x, card, message.subarray(reader.lineEnd));
  }
  finish(x);
}

function finish(x: ServerExchange): void {
  x.finishReceiving();
  announce(x);
  x.out.comment(trailer(x.repo.clock, x.errorCount));
}

/** The last line of a reply, by which a client tells how far the two clocks are apart. */
function trailer(clock: Clock, errorCount: number): string {
  return ` timestamp ${formatDateTime(clock.now()).replace(" ", "T")} errors ${errorCount}`;
}

function factsOf(x: ServerExchange): ServeFacts {
  const { artifactsReceived, artifactsSent, errorCount: errors, user, nextPage } = x;
  return { operation: operationOf(x.seen), artifactsReceived, artifactsSent, errors, user, nextPage };
}

function operationOf(seen: ReadonlySet<string>): Operation {
  if (seen.has("clone")) return "clone";
  if (seen.has("pull")) return seen.has("push") ? "sync" : "pull";
  if (seen.has("push")) return "push";
  if (["pragma uv-hash", "uvfile", "uvgimme"].some((type) => seen.has(type))) return "uv";
  return seen.has("config") || seen.has("reqconfig") ? "config" : "ping";
}

/** A reply to a request that `serveExchange` has refused by throwing `error`. */
export function errorMessage(error: unknown, clock: Clock): Bytes {
  const out = new MessageWriter();
  out.card({ type: "error", text: errorText(error) });
  out.comment(trailer(clock, 1));
  return out.finish();
}

export interface HttpErrorReply {
  readonly status: number;
  readonly contentType: string;
  readonly body: Bytes;
}

/**
 * `errorMessage` over HTTP. The status is 200 for whatever a client can have sent in good faith, for stock
 * clients show the text of an error card and of any other status only its name.
 */
export function errorReply(error: unknown, requestType: string, clock: Clock): HttpErrorReply {
  const framing = framingOf(requestType);
  if (framing === undefined) return { status: 415, contentType: "text/plain", body: EMPTY as Bytes };
  const { contentType, body } = encodeMessage(errorMessage(error, clock), framing);
  return { status: error instanceof EdgeSyncError ? 200 : 500, contentType, body };
}

/** What a stranger may be told: nothing of paths or of the insides. */
export function errorText(error: unknown): string {
  if (error instanceof HashMismatchError) {
    const { hash } = error.data;
    return TEXTS.wrongHash(String(hash));
  }
  if (error instanceof FormatError || error instanceof LimitError || error instanceof ExchangeRefused) {
    return error.message;
  }
  if (error instanceof RepoError)
    return REPO_TEXTS[error.code] ?? `the repository cannot be used (${error.code})`;
  if (error instanceof EdgeSyncError) return error.message;
  return "internal error on the server";
}

const REPO_TEXTS: Readonly<Record<string, string>> = {
  "repo-locked": "the repository is locked by another process; try again later",
  "repo-schema-outdated": TEXTS.schemaOutdated,
  "ticket-schema": "the setting ticket-table cannot be used; nothing was stored",
  "disk-full": "the server's disk is full; nothing was stored",
  "repo-read-only": "the repository cannot be written on the server; nothing was stored",
};
