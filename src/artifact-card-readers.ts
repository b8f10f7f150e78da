/**
 * One reader per letter: each takes its card's tokens off the `CardReader`, checks them, and adds what
 * they say to the draft. Which cards an artifact may have is `artifact-card-table.ts`; what the draft
 * becomes is `artifact-parse.ts`.
 *
 * ```
 * A name target [source]            attachment; target = wiki name or hash
 * B hash                            baseline of a delta manifest
 * C text                            comment
 * D date                            as SQLite's julianday reads it
 * E date id                         technote
 * F name [hash [perm [old-name]]]   file; sorted; the hash may be missing after a B card only
 * G hash   H text   I hash          forum: thread root, title, in reply to
 * J name [text]                     ticket field; sorted; name not escaped
 * K id                              ticket, 40 digits
 * L text                            wiki page name
 * M hash                            cluster member; sorted
 * N text                            MIME type
 * P *hash                           parents; may be empty; may repeat
 * Q +hash [hash]  Q -hash [hash]    cherry-pick, backout
 * R md5                             over all files
 * T {+,-,*}name hash|* [text]       tag; sorted by prefixed name, then target ("*" first)
 * U [text]                          user; without one, anonymous
 * W size LF content                 body
 * Z md5                             checked before the cards are read
 * ```
 *
 * Source: fossil-facts F; Fossil `www/fileformat.wiki`; odd cases by comparing with the binaries.
 */
import type { CardReader } from "./artifact-cards.ts";
import { decodeRaw, unescapeRaw } from "./artifact-escape.ts";
import type { FileLines, FileMemo } from "./artifact-file-memo.ts";
import { isReservedName, isSimplePath, isTagName, isWikiName } from "./artifact-names.ts";
import type { CherrypickEntry, FileEntry, FilePermission, TagEntry, TicketField } from "./artifact-types.ts";
import { FormatError } from "./errors.ts";
import type { Hash } from "./hash.ts";
import { type EpochMs, parseDate, toJulian } from "./julian.ts";

/** What the cards read so far have said. */
export interface Draft {
  attachName?: string;
  attachTarget?: string;
  attachSource?: Hash;
  baseline?: Hash;
  comment?: string;
  date?: EpochMs;
  eventDate?: EpochMs;
  technoteId?: string;
  threadRoot?: Hash;
  title?: string;
  inReplyTo?: Hash;
  ticketId?: string;
  wikiTitle?: string;
  mimetype?: string;
  filesChecksum?: string;
  user?: string;
  body?: Uint8Array;
  readonly files: FileEntry[];
  readonly fields: TicketField[];
  readonly members: Hash[];
  readonly parents: Hash[];
  readonly cherrypicks: CherrypickEntry[];
  readonly tags: TagEntry[];
  /** Raw sort keys of the last F, J, M and T cards. */
  lastFile?: string;
  lastField?: string;
  lastMember?: string;
  lastTag?: string;
  /** F cards read before, for other artifacts. */
  readonly memo: FileMemo | undefined;
  /** The F cards so far, where there is a memo. */
  fileLines?: FileLines;
}

type Reader = (cards: CardReader, draft: Draft) => void;

const HASH_ANY_CASE = /^(?:[0-9a-fA-F]{40}|[0-9a-fA-F]{64})$/;
const TICKET_ID = /^[0-9a-fA-F]{40}$/;
const MD5_ANY_CASE = /^[0-9a-fA-F]{32}$/;
const TAG_ACTIONS = "+*-";

export const CARD_READERS: Readonly<Record<string, Reader>> = {
  A: readAttachment,
  B: (cards, draft) => {
    once(cards, draft.baseline);
    draft.baseline = requireHash(cards);
  },
  C: (cards, draft) => {
    once(cards, draft.comment);
    draft.comment = requireText(cards);
  },
  D: (cards, draft) => {
    once(cards, draft.date);
    draft.date = requireDate(cards);
  },
  E: (cards, draft) => {
    once(cards, draft.eventDate);
    draft.eventDate = requireDate(cards);
    draft.technoteId = requireMatch(cards, HASH_ANY_CASE, "a technote id of 40 or 64 hex digits");
  },
  F: readFile,
  G: (cards, draft) => {
    once(cards, draft.threadRoot);
    draft.threadRoot = requireHash(cards);
  },
  H: (cards, draft) => {
    once(cards, draft.title);
    draft.title = requireText(cards);
  },
  I: (cards, draft) => {
    once(cards, draft.inReplyTo);
    draft.inReplyTo = requireHash(cards);
  },
  J: readField,
  K: (cards, draft) => {
    once(cards, draft.ticketId);
    draft.ticketId = requireMatch(cards, TICKET_ID, "a ticket id of 40 hex digits");
  },
  L: (cards, draft) => {
    once(cards, draft.wikiTitle);
    const title = requireText(cards);
    if (!isWikiName(title)) cards.fail(`expected a wiki page name, got ${JSON.stringify(title)}`);
    draft.wikiTitle = title;
  },
  M: (cards, draft) => {
    const token = cards.token() ?? "";
    const member = asArtifactHash(cards, token);
    ascending(cards, draft.lastMember, token);
    draft.lastMember = token;
    draft.members.push(member);
  },
  N: (cards, draft) => {
    once(cards, draft.mimetype);
    draft.mimetype = requireText(cards);
  },
  P: (cards, draft) => {
    for (let token = cards.token(); token !== undefined; token = cards.token()) {
      draft.parents.push(asArtifactHash(cards, token));
    }
  },
  Q: readCherrypick,
  R: (cards, draft) => {
    once(cards, draft.filesChecksum);
    draft.filesChecksum = requireMatch(cards, MD5_ANY_CASE, "an MD5 of 32 hex digits");
  },
  T: readTag,
  U: (cards, draft) => {
    once(cards, draft.user);
    const token = cards.token() ?? "";
    draft.user = token === "" ? "anonymous" : readText(token);
  },
  W: (cards, draft) => {
    once(cards, draft.body);
    // Digits up to the first other character, as Fossil counts; none is 0.
    const size = Number.parseInt(`0${requireToken(cards)}`, 10);
    draft.body = cards.content(size);
  },
  Z: (cards) => {
    requireMatch(cards, MD5_ANY_CASE, "an MD5 of 32 hex digits");
  },
};

function readAttachment(cards: CardReader, draft: Draft): void {
  once(cards, draft.attachName);
  const name = unescapeRaw(requireToken(cards));
  const target = readText(requireToken(cards));
  const source = cards.token();
  if (!isSimplePath(name)) cards.fail(`expected a file name, got ${JSON.stringify(name)}`);
  if (!HASH_ANY_CASE.test(target) && !isWikiName(target)) {
    cards.fail(`expected a wiki page, ticket or technote, got ${JSON.stringify(target)}`);
  }
  draft.attachName = decodeRaw(name.slice(name.lastIndexOf("/") + 1));
  draft.attachTarget = target;
  if (source !== undefined) draft.attachSource = asArtifactHash(cards, source);
}

function readFile(cards: CardReader, draft: Draft): void {
  const { memo } = draft;
  if (memo === undefined) {
    readFileCard(cards, draft);
    return;
  }
  draft.fileLines ??= memo.begin(cards.bytes);
  if (takeSameFiles(cards, draft, draft.fileLines)) return;
  const line = cards.restOfLine();
  let known = memo.get(line);
  if (known !== undefined) {
    ascending(cards, draft.lastFile, known.key);
    draft.lastFile = known.key;
    draft.files.push(known.entry);
    cards.skipTo(cards.offset + line.length + 1, 0);
  } else {
    const card = readFileCard(cards, draft);
    if (card?.entry.hash !== undefined) {
      known = memo.add(line, card.key, { ...card.entry, hash: card.entry.hash });
      draft.files[draft.files.length - 1] = known.entry;
    }
  }
  draft.fileLines.add(known, cards.offset);
}

/** This F card and those after it, as far as they follow each other as in the artifact read before. */
function takeSameFiles(cards: CardReader, draft: Draft, lines: FileLines): boolean {
  const { known } = lines;
  const first = known.length;
  const end = lines.takeSame(cards.cardOffset);
  if (known.length === first) return false;
  ascending(cards, draft.lastFile, known[first]!.key);
  for (let i = first; i < known.length; i++) draft.files.push(known[i]!.entry);
  draft.lastFile = known.at(-1)!.key;
  cards.skipTo(end, known.length - first - 1);
  return true;
}

/** Reads an F card by its tokens. Nothing is returned for a reserved name, which counts for nothing. */
function readFileCard(
  cards: CardReader,
  draft: Draft,
): { readonly key: string; readonly entry: FileEntry } | undefined {
  const nameToken = requireToken(cards);
  const name = cards.escaped ? unescapeRaw(nameToken) : nameToken;
  const { nonAscii } = cards;
  if (!isSimplePath(name)) cards.fail(`expected a relative file name, got ${JSON.stringify(name)}`);
  const token = cards.token();
  if (token === undefined && draft.baseline === undefined) cards.fail("expected a hash after the file name");
  const hash = token === undefined ? undefined : asArtifactHash(cards, token);
  const permission = permissionOf(cards.token());
  const prior = cards.token();
  const priorName = prior === undefined ? undefined : unescapeRaw(prior);
  if (priorName !== undefined && !isSimplePath(priorName)) {
    cards.fail(`expected a relative old file name, got ${JSON.stringify(priorName)}`);
  }
  ascending(cards, draft.lastFile, name);
  if (isReservedName(name)) return undefined;
  draft.lastFile = name;
  const text = nonAscii ? decodeRaw(name) : name;
  const entry: { -readonly [K in keyof FileEntry]: FileEntry[K] } = { name: text, permission };
  if (priorName !== undefined) entry.priorName = decodeRaw(priorName);
  if (hash !== undefined) entry.hash = hash;
  draft.files.push(entry);
  return { key: name, entry };
}

function permissionOf(token: string | undefined): FilePermission {
  if (token === undefined) return "";
  return token.includes("x") ? "x" : token.includes("l") ? "l" : "";
}

function readField(cards: CardReader, draft: Draft): void {
  const token = requireToken(cards);
  const value = cards.token() ?? "";
  ascending(cards, draft.lastField, token);
  draft.lastField = token;
  const append = token.startsWith("+");
  draft.fields.push({ name: decodeRaw(append ? token.slice(1) : token), append, value: readText(value) });
}

function readCherrypick(cards: CardReader, draft: Draft): void {
  const token = requireToken(cards);
  const sign = token.charAt(0);
  if (sign !== "+" && sign !== "-")
    cards.fail(`expected + or - before the hash, got ${JSON.stringify(token)}`);
  const from = asArtifactHash(cards, token.slice(1));
  const through = cards.token();
  const backout = sign === "-";
  draft.cherrypicks.push(
    through === undefined ? { backout, from } : { backout, from, through: asArtifactHash(cards, through) },
  );
}

function readTag(cards: CardReader, draft: Draft): void {
  const name = unescapeRaw(requireToken(cards));
  const target = requireToken(cards);
  const value = cards.token();
  const action = name.charAt(0) as TagEntry["action"];
  if (action.length === 0 || !TAG_ACTIONS.includes(action)) {
    cards.fail(`expected +, * or - before the tag's name, got ${JSON.stringify(name)}`);
  }
  if (!isTagName(name.slice(1))) cards.fail("expected a tag name that is not all hex digits");
  const hash = target === "*" ? undefined : asArtifactHash(cards, target);
  // A target of "*" sorts before all hashes; NUL keeps a name before its extensions.
  const key = `${name}\0${target === "*" ? "" : target}`;
  ascending(cards, draft.lastTag, key);
  draft.lastTag = key;
  const entry = { action, name: decodeRaw(name.slice(1)), target: hash };
  draft.tags.push(value === undefined ? entry : { ...entry, value: readText(value) });
}

function once(cards: CardReader, previous: unknown): void {
  if (previous !== undefined) cards.fail("expected no second card of this letter");
}

/** `key` after `last` in byte order; both raw. */
function ascending(cards: CardReader, last: string | undefined, key: string): void {
  if (last !== undefined && last >= key) {
    cards.fail(
      `expected something after ${JSON.stringify(last)}, got ${JSON.stringify(key)}`,
      "artifact-order",
    );
  }
}

function requireToken(cards: CardReader): string {
  return cards.token() ?? cards.fail("expected one more token");
}

function requireMatch(cards: CardReader, pattern: RegExp, what: string): string {
  const token = requireToken(cards);
  return pattern.test(token) ? token : cards.fail(`expected ${what}, got ${JSON.stringify(token)}`);
}

function requireHash(cards: CardReader): Hash {
  return asArtifactHash(cards, requireToken(cards));
}

/** `token` is the last that `cards` gave, or its end. */
function asArtifactHash(cards: CardReader, token: string): Hash {
  if (cards.hex && (token.length === 40 || token.length === 64)) return token as Hash;
  if (HASH_ANY_CASE.test(token)) return token.toLowerCase() as Hash;
  return cards.fail(`expected a hash of 40 or 64 hex digits, got ${JSON.stringify(token)}`);
}

function requireText(cards: CardReader): string {
  return readText(requireToken(cards));
}

function readText(token: string): string {
  return decodeRaw(unescapeRaw(token));
}

/** Later than Julian day 0, which Fossil takes for "no date". */
function requireDate(cards: CardReader): EpochMs {
  const token = requireToken(cards);
  try {
    const date = parseDate(token);
    if (toJulian(date) > 0) return date;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
  }
  return cards.fail(`expected a date such as 2026-01-31T12:00:00.000, got ${JSON.stringify(token)}`);
}
