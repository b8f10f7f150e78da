/**
 * Artifact to bytes, as Fossil writes it: cards by letter, repeated cards in the order that the parser
 * demands (so callers need not sort), dates with milliseconds, the Z card at the end. Never signed.
 *
 * What it wrote it reads again before it returns it: nothing leaves here that a peer would not accept.
 */
import { zCard } from "./artifact-cards.ts";
import { encodeText, escapeText, rawOf } from "./artifact-escape.ts";
import { isReservedName } from "./artifact-names.ts";
import { parseArtifact } from "./artifact-parse.ts";
import type { Artifact, CherrypickEntry, FileEntry, TagEntry, TicketField } from "./artifact-types.ts";
import { type Bytes, concat } from "./bytes.ts";
import { FormatError } from "./errors.ts";
import type { Hash } from "./hash.ts";
import { type EpochMs, formatDCard } from "./julian.ts";

/**
 * The bytes of an artifact, Z card included.
 *
 * @throws FormatError when `artifact` breaks a rule of its type: a name, an order, a missing card; the codes
 *   are those of `parseArtifact`, and `artifact-text` for NUL in a text
 */
export function formatArtifact(artifact: Artifact): Bytes {
  const cards = new CardWriter();
  write(cards, artifact);
  const bytes = cards.finish();
  const { type } = parseArtifact(bytes);
  if (type !== artifact.type) {
    throw new FormatError("artifact-rule", `expected a ${artifact.type} artifact, got what reads as ${type}`);
  }
  return bytes;
}

class CardWriter {
  private readonly parts: Uint8Array[] = [];
  private text = "";

  /** A card of tokens that need no escapes, or have them already. */
  card(letter: string, ...tokens: readonly string[]): void {
    for (const token of tokens) {
      if (/[ \n\0]/.test(token)) {
        throw new FormatError("artifact-text", `expected no space or line feed in ${JSON.stringify(token)}`);
      }
    }
    this.text += `${[letter, ...tokens].join(" ")}\n`;
  }

  /** A card of one text, left out when there is none. */
  optional(letter: string, text: string | undefined): void {
    if (text !== undefined) this.card(letter, escapeText(text));
  }

  date(letter: string, date: EpochMs, ...tokens: readonly string[]): void {
    if (!Number.isSafeInteger(date) || Math.abs(date) > 8.64e15) {
      throw new FormatError("artifact-text", `expected a time in whole milliseconds, got ${date}`);
    }
    this.card(letter, formatDCard(date), ...tokens);
  }

  parents(parents: readonly Hash[]): void {
    if (parents.length > 0) this.card("P", ...parents);
  }

  body(body: Uint8Array): void {
    this.card("W", String(body.length));
    this.flush();
    this.parts.push(body);
    this.text = "\n";
  }

  finish(): Bytes {
    this.flush();
    const cards = concat(this.parts);
    return concat([cards, encodeText(zCard(cards))]);
  }

  private flush(): void {
    this.parts.push(encodeText(this.text));
    this.text = "";
  }
}

/** The cards of each type, in the order of their letters. */
function write(cards: CardWriter, artifact: Artifact): void {
  switch (artifact.type) {
    case "check-in":
      if (artifact.baseline !== undefined) cards.card("B", artifact.baseline);
      cards.optional("C", artifact.comment);
      cards.date("D", artifact.date);
      for (const file of sorted(artifact.files, fileKey)) writeFile(cards, file);
      cards.optional("N", artifact.mimetype);
      cards.parents(artifact.parents);
      for (const entry of artifact.cherrypicks) writeCherrypick(cards, entry);
      if (artifact.filesChecksum !== undefined) cards.card("R", artifact.filesChecksum);
      writeTags(cards, artifact.tags);
      cards.optional("U", artifact.user);
      break;
    case "cluster":
      for (const member of artifact.members.toSorted()) cards.card("M", member);
      break;
    case "control":
      cards.date("D", artifact.date);
      writeTags(cards, artifact.tags);
      cards.optional("U", artifact.user);
      break;
    case "wiki":
      cards.optional("C", artifact.comment);
      cards.date("D", artifact.date);
      cards.optional("L", artifact.title);
      cards.optional("N", artifact.mimetype);
      cards.parents(artifact.parents);
      cards.optional("U", artifact.user);
      cards.body(artifact.body);
      break;
    case "ticket":
      cards.date("D", artifact.date);
      for (const field of sorted(artifact.fields, fieldKey)) writeField(cards, field);
      cards.card("K", artifact.ticketId);
      cards.optional("U", artifact.user);
      break;
    case "attachment": {
      const source = artifact.source === undefined ? [] : [artifact.source];
      cards.card("A", escapeText(artifact.name), escapeText(artifact.target), ...source);
      cards.optional("C", artifact.comment);
      cards.date("D", artifact.date);
      cards.optional("N", artifact.mimetype);
      cards.optional("U", artifact.user);
      break;
    }
    case "technote":
      cards.optional("C", artifact.comment);
      cards.date("D", artifact.date);
      cards.date("E", artifact.eventDate, artifact.technoteId);
      cards.optional("N", artifact.mimetype);
      cards.parents(artifact.parents);
      writeTags(cards, artifact.tags);
      cards.optional("U", artifact.user);
      cards.body(artifact.body);
      break;
    case "forum":
      cards.date("D", artifact.date);
      if (artifact.threadRoot !== undefined) cards.card("G", artifact.threadRoot);
      cards.optional("H", artifact.title);
      if (artifact.inReplyTo !== undefined) cards.card("I", artifact.inReplyTo);
      cards.optional("N", artifact.mimetype);
      cards.parents(artifact.parents);
      cards.optional("U", artifact.user);
      cards.body(artifact.body);
      break;
  }
}

function writeFile(cards: CardWriter, { name, hash, permission, priorName }: FileEntry): void {
  if (isReservedName(name)) {
    throw new FormatError("artifact-rule", `expected a file of the project, got ${JSON.stringify(name)}`);
  }
  const tokens = [escapeText(name)];
  if (hash !== undefined) {
    tokens.push(hash);
    // An old name needs some permission before it: "w" for an ordinary file.
    if (permission !== "" || priorName !== undefined) tokens.push(permission || "w");
    if (priorName !== undefined) tokens.push(escapeText(priorName));
  }
  cards.card("F", ...tokens);
}

function writeCherrypick(cards: CardWriter, { backout, from, through }: CherrypickEntry): void {
  const range = through === undefined ? [] : [through];
  cards.card("Q", (backout ? "-" : "+") + from, ...range);
}

function writeTags(cards: CardWriter, tags: readonly TagEntry[]): void {
  for (const { action, name, target, value } of sorted(tags, tagKey)) {
    const values = value === undefined ? [] : [escapeText(value)];
    cards.card("T", action + escapeText(name), target ?? "*", ...values);
  }
}

function writeField(cards: CardWriter, field: TicketField): void {
  const values = field.value === "" ? [] : [escapeText(field.value)];
  cards.card("J", fieldKey(field), ...values);
}

const fileKey = ({ name }: FileEntry) => name;
const fieldKey = ({ append, name }: TicketField) => (append ? "+" : "") + name;
/** NUL keeps a name before its extensions; the artifact itself sorts before any other target. */
const tagKey = ({ action, name, target }: TagEntry) => `${action}${name}\0${target ?? ""}`;

/** In the order of the bytes of their keys. */
function sorted<T>(items: readonly T[], key: (item: T) => string): readonly T[] {
  return items
    .map((item) => ({ item, key: rawOf(key(item)) }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(({ item }) => item);
}
