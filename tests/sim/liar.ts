/**
 * Peers that lie. As a server the liar answers a node's sync with something made up; as a client it sends a
 * node a message that no honest client would. None of it may leave anything behind that is wrong.
 */
import { type Bytes, concat, utf8 } from "../../src/bytes.ts";
import { ProtocolError } from "../../src/errors.ts";
import { type Hash, hashContent, sha1Hex } from "../../src/hash.ts";
import { loginSignature, sharedSecret } from "../../src/repo-user.ts";
import { decodeMessage, encodeMessage } from "../../src/xfer-message.ts";
import { packBlob } from "../../src/zlib.ts";
import { PASSWORDS } from "./checks.ts";
import type { Dice } from "./dice.ts";
import type { Letter, Reply } from "./network.ts";

/** What the liar does as a server, then as a client. */
export const LIES = [
  "wrong-hash",
  "endless-igots",
  "unresolvable-gimmes",
  "delta-cycle",
  "delta-bomb",
  "page-of-html",
  "unasked-config",
  "private-unasked",
  "cut-card",
  "uv-wrong-hash",
  "forged-login",
  "replayed-push",
  "push-without-right",
  "cards-out-of-order",
  "wrong-hash-push",
  "good-then-wrong-push",
  "config-push",
  "uv-push",
  "uv-wrong-push",
  "private-gimme",
  "stolen-login",
] as const;
export type Lie = (typeof LIES)[number];

const SERVER_LIES: ReadonlySet<Lie> = new Set([
  "wrong-hash",
  "endless-igots",
  "unresolvable-gimmes",
  "delta-cycle",
  "delta-bomb",
  "page-of-html",
  "unasked-config",
  "private-unasked",
  "cut-card",
  "uv-wrong-hash",
]);

export const isServerLie = (lie: Lie): boolean => SERVER_LIES.has(lie);

const fakeHash = (dice: Dice): Hash => hashContent(dice.random.bytes(16), "sha3-256");

/** A card with content that is not what its name says. */
function wrongFile(dice: Dice): Bytes {
  const content = utf8(`not what it says ${dice.below(1e9)}\n`);
  return concat([utf8(`file ${fakeHash(dice)} ${content.length}\n`), content, utf8("\n")]);
}

function deltaFile(hash: Hash, source: Hash, delta: Bytes): Bytes {
  return concat([utf8(`file ${hash} ${source} ${delta.length}\n`), delta, utf8("\n")]);
}

/** The answer of a lying server. @throws ProtocolError for a reply that is no message at all */
export function lieAsServer(lie: Lie, dice: Dice, round: number): Reply {
  const parts: (string | Uint8Array)[] = [];
  switch (lie) {
    case "wrong-hash":
      parts.push(wrongFile(dice), wrongFile(dice));
      break;
    case "endless-igots":
      for (let i = 0; i < 50; i++) parts.push(`igot ${fakeHash(dice)}\n`);
      break;
    case "unresolvable-gimmes":
      for (let i = 0; i < 50; i++) parts.push(`gimme ${fakeHash(dice)}\n`);
      break;
    case "delta-cycle": {
      const [a, b] = [fakeHash(dice), fakeHash(dice)];
      parts.push(deltaFile(a, b, utf8("5\n5:hello3;")), deltaFile(b, a, utf8("5\n5:world3;")));
      break;
    }
    case "delta-bomb":
      // It claims nearly 4 GB.
      parts.push(deltaFile(fakeHash(dice), fakeHash(dice), utf8("3~~~~~\n3~~~~~@0,0;")));
      break;
    case "page-of-html":
      return { contentType: "text/html", body: utf8("<html><body>It works!</body></html>") };
    case "unasked-config":
      parts.push("config /user 60\n1700000000 'mallory' pw 'x' cap 's' info '' photo NULL    \n");
      break;
    case "private-unasked":
      parts.push("private\n", wrongFile(dice), `igot ${fakeHash(dice)} 1\n`);
      break;
    case "cut-card": {
      const card = wrongFile(dice);
      parts.push(card.subarray(0, dice.below(card.length)));
      break;
    }
    case "uv-wrong-hash":
      parts.push(
        "pragma uv-push-ok\n",
        `uvigot u1.bin 4000000000 ${fakeHash(dice)} 5\n`,
        `uvfile u1.bin 4000000000 ${fakeHash(dice)} 5 0\nhello\n`,
      );
      break;
    default:
      throw new ProtocolError("peer-unreachable", `${lie} is no lie of a server`);
  }
  parts.push(`# timestamp 2026-01-01T00:00:00 errors 0 round ${round}\n`);
  return framed(parts);
}

export interface LiarsKnowledge {
  readonly projectCode: string;
  /** A signed message that an honest client has sent, and who signed it. */
  readonly recorded: Letter | undefined;
  /** Names of private artifacts, which somebody has told. */
  readonly privateHashes: Iterable<Hash>;
}

/** A message of a lying client. */
export function lieAsClient(lie: Lie, dice: Dice, knowledge: LiarsKnowledge): Letter {
  const { projectCode, recorded } = knowledge;
  const push = `push ${sha1Hex("liar")} ${projectCode}\n`;
  const pull = `pull ${sha1Hex("liar")} ${projectCode}\n`;
  const content = utf8(`made by a liar ${dice.below(1e9)}\n`);
  const good = concat([utf8(`file ${hashContent(content, "sha3-256")} ${content.length}\n`), content]);
  switch (lie) {
    case "replayed-push":
      if (recorded !== undefined) return recorded;
      return letter([push]);
    case "forged-login":
      return letter([loginOver([push, pull, good]), push, pull, good]);
    case "push-without-right":
      return letter([push, good]);
    case "cards-out-of-order":
      return letter([good, push, `gimme ${fakeHash(dice)}\n`, pull, push, "private\n", pull]);
    case "wrong-hash-push":
      return letter([push, wrongFile(dice)]);
    case "good-then-wrong-push": {
      // Of somebody who may push: of what is refused nothing is to stay.
      return asCarl(projectCode, [push, good, wrongFile(dice)]);
    }
    case "config-push":
      return letter([
        push,
        "config /user 60\n1700000000 'mallory' pw 'x' cap 's' info '' photo NULL    \n",
        "config /shun 60\n1700000000 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' scom 'no'     \n",
      ]);
    case "uv-push":
      return letter([
        push,
        "pragma uv-hash x\n",
        `uvfile u1.bin 4000000000 ${sha1Hex(utf8("hello"))} 5 0\nhello\n`,
      ]);
    case "uv-wrong-push":
      return letter([
        push,
        "pragma uv-hash x\n",
        `uvfile u1.bin 4000000000 ${sha1Hex(utf8("x"))} 5 0\nhello\n`,
      ]);
    case "private-gimme": {
      const gimmes = [...knowledge.privateHashes].map((hash) => `gimme ${hash}\n`);
      const parts = [pull, "pragma send-private\n", ...gimmes];
      return dice.chance(0.5) ? letter(parts) : asCarl(projectCode, parts);
    }
    case "stolen-login":
      return stolen(recorded, [push, good]);
    default:
      return letter([pull]);
  }
}

/** By somebody who has a login and more in mind than he may do. */
function asCarl(projectCode: string, parts: readonly (string | Uint8Array)[]): Letter {
  const nonce = sha1Hex(concat(parts.map((part) => (typeof part === "string" ? utf8(part) : part))));
  const signature = loginSignature(nonce, sharedSecret(projectCode, "carl", PASSWORDS.carl));
  return { ...letter([`login carl ${nonce} ${signature}\n`, ...parts]), as: "carl" };
}

/** A login of the administrator with the right nonce, by somebody who does not know the password. */
function loginOver(parts: readonly (string | Uint8Array)[]): string {
  const rest = concat(parts.map((part) => (typeof part === "string" ? utf8(part) : part)));
  return `login ann ${sha1Hex(rest)} ${sha1Hex("a guess")}\n`;
}

/** Somebody else's login over a message of one's own. */
function stolen(recorded: Letter | undefined, parts: readonly (string | Uint8Array)[]): Letter {
  if (recorded === undefined) return letter(parts);
  if (recorded.cookie !== undefined) return { ...letter(parts), cookie: recorded.cookie };
  const { message } = decodeMessage(recorded.body, recorded.contentType);
  return letter([message.subarray(0, message.indexOf(0x0a) + 1), ...parts]);
}

function letter(parts: readonly (string | Uint8Array)[]): Letter {
  return { ...(framed(parts) as { contentType: string; body: Bytes }), as: undefined };
}

function framed(parts: readonly (string | Uint8Array)[]): Reply {
  const message = concat(parts.map((part) => (typeof part === "string" ? utf8(part) : part)));
  const { contentType } = encodeMessage(message, "compressed");
  return { contentType, body: packBlob(message) };
}
