/** Talks to the sync engine in text: messages in, replies out, without framing. */
import { concat, text, utf8 } from "../src/bytes.ts";
import type { Hash } from "../src/hash.ts";
import type { Repo } from "../src/repo.ts";
import type { Rid } from "../src/repo-content.ts";
import { sharedSecret } from "../src/repo-user.ts";
import { signLogin } from "../src/sync-login.ts";
import { type MessageReply, serveMessage } from "../src/sync-server.ts";
import { MessageWriter } from "../src/xfer-format.ts";

export type MessagePart = string | Uint8Array;

export const VERSION_LINE = "pragma client-version 22900 20260821 165942\n";

export interface Login {
  readonly user: string;
  readonly password: string;
}

export const hex = (digit: string, length = 40): Hash => digit.repeat(length) as Hash;

/** A message of the given parts, with a login card in front if there is a login. */
export function messageOf(repo: Repo, parts: readonly MessagePart[], login?: Login): Uint8Array {
  const rest = concat(parts.map((part) => (typeof part === "string" ? utf8(part) : part)));
  if (login === undefined) return rest;
  const secret = sharedSecret(repo.config.projectCode!, login.user, login.password);
  const writer = new MessageWriter();
  writer.card(signLogin(login.user, secret, rest));
  return concat([writer.finish(), rest]);
}

export function exchange(repo: Repo, parts: readonly MessagePart[], login?: Login): MessageReply {
  return serveMessage(repo, messageOf(repo, parts, login), { address: "127.0.0.1", cookie: undefined });
}

/** The reply without the timestamp, as text. */
export function ask(repo: Repo, parts: readonly MessagePart[], login?: Login): string {
  return text(exchange(repo, parts, login).message).replace(
    /# timestamp \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d errors/,
    "# errors",
  );
}

export const pullLine = (repo: Repo) => `pull x ${repo.config.projectCode}\n`;
export const pushLine = (repo: Repo) => `push x ${repo.config.projectCode}\n`;

/** Stores content and returns its hash. */
export function store(repo: Repo, content: MessagePart, isPrivate = false): Hash {
  const bytes = typeof content === "string" ? utf8(content) : content;
  return repo.content.hashOf(repo.content.put(bytes, { rcvid: 0, isPrivate }));
}

export function ridOf(repo: Repo, hash: Hash): Rid {
  return repo.content.ridOf(hash)!;
}
