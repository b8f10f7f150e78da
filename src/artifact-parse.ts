/**
 * Bytes to artifact. Every blob of a repository passes through here, and most are files that only look
 * like artifacts or not at all: `looksLikeArtifact` costs nothing, `parseArtifact` accepts exactly what
 * stock Fossil accepts. Too lax and a peer's file becomes a commit; too strict and a commit is lost.
 *
 * Order of work: frame and Z card (`artifact-cards.ts`), each card by its letter
 * (`artifact-card-readers.ts`) in ascending order, then the rules of the type (`artifact-card-table.ts`).
 *
 * Deliberate differences from stock: a D or E card that says `now` is refused, because its meaning would
 * change with each reading; hashes in upper case are read as lower case (`artifact-types.ts`).
 */
import { CARD_READERS, type Draft } from "./artifact-card-readers.ts";
import { CARD_RULES, TYPE_BY_LETTER } from "./artifact-card-table.ts";
import { CardReader, openCards } from "./artifact-cards.ts";
import type { FileMemo } from "./artifact-file-memo.ts";
import type { Artifact, ArtifactType } from "./artifact-types.ts";
import { FormatError } from "./errors.ts";

export { looksLikeArtifact } from "./artifact-cards.ts";

export interface ParseOptions {
  /** Shared by the parsing of many check-ins of one project, speeds it up; then the bytes must not change any more. */
  readonly memo?: FileMemo;
  /** The Z card is known to be right. */
  readonly isChecked?: boolean;
}

/**
 * Reads a structural artifact. Strings and byte arrays of the result are copies of parts of `bytes`.
 * @throws FormatError `artifact-frame`, `artifact-checksum`, `artifact-card`, `artifact-order`,
 *   `artifact-card-missing`, `artifact-card-forbidden`, `artifact-rule`: `bytes` is not an artifact
 * @throws LimitError `artifact-size`
 */
export function parseArtifact(bytes: Uint8Array, { memo, isChecked }: ParseOptions = {}): Artifact {
  const framed = openCards(bytes, isChecked);
  const draft: Draft = { files: [], fields: [], members: [], parents: [], cherrypicks: [], tags: [], memo };
  const seen = readCards(new CardReader(framed.bytes), draft);
  const type = typeOf(seen, draft);
  checkPresence(type, seen);
  checkRules(type, draft);
  const { fileLines } = draft;
  fileLines?.end();
  if (fileLines !== undefined) memo?.keep(draft.files, fileLines);
  return build(type, draft, framed.signed ? { signed: true } : {});
}

/** Reads all cards into `draft`. Returns the letters seen. */
function readCards(cards: CardReader, draft: Draft): ReadonlySet<string> {
  const seen = new Set<string>();
  let previous = "";
  for (let letter = cards.next(); letter !== undefined; letter = cards.next()) {
    if (letter !== previous) {
      const lateMimetype = letter === "N" && previous === "P" && draft.technoteId !== undefined;
      if (letter < previous && !lateMimetype) cards.fail(`expected it before ${previous}`, "artifact-order");
      seen.add(letter);
      previous = letter;
    }
    const read = CARD_READERS[letter] ?? cards.fail("no card has this letter");
    read(cards, draft);
  }
  return seen;
}

function typeOf(seen: ReadonlySet<string>, draft: Draft): ArtifactType {
  for (const letter of seen) {
    const type = TYPE_BY_LETTER.get(letter);
    if (type !== undefined) return type;
  }
  const { comment, files, parents } = draft;
  return comment !== undefined || files.length > 0 || parents.length > 0 ? "check-in" : "control";
}

function checkPresence(type: ArtifactType, seen: ReadonlySet<string>): void {
  const { permitted, required } = CARD_RULES[type];
  for (const letter of seen) {
    if (permitted.includes(letter)) continue;
    throw new FormatError(
      "artifact-card-forbidden",
      `expected a ${type} artifact, got a card ${letter} in it`,
    );
  }
  for (const letter of required) {
    if (seen.has(letter)) continue;
    throw new FormatError(
      "artifact-card-missing",
      `expected a card ${letter} in a ${type} artifact, got none`,
    );
  }
}

/** What a type demands beyond the presence of cards. */
function checkRules(type: ArtifactType, draft: Draft): void {
  const fail = (problem: string): never => {
    throw new FormatError("artifact-rule", `${type} artifact: ${problem}`);
  };
  const { tags, parents, title, inReplyTo } = draft;
  if (type === "control" && tags.some((tag) => tag.target === undefined)) {
    fail("expected every tag to have a target, got *");
  }
  if (type === "technote" && tags.some((tag) => tag.target !== undefined || tag.action !== "+")) {
    fail("expected only tags + on *");
  }
  if (type === "forum" && title !== undefined && inReplyTo !== undefined) {
    fail("expected a title or a post to answer, got both");
  }
  if (type === "forum" && parents.length > 1) fail("expected at most one parent");
}

/** Those of `keys` that the draft has. */
function pick<K extends keyof Draft>(draft: Draft, ...keys: readonly K[]): Pick<Draft, K> {
  const picked: Partial<Pick<Draft, K>> = {};
  for (const key of keys) if (draft[key] !== undefined) picked[key] = draft[key];
  return picked as Pick<Draft, K>;
}

/** The artifact that a draft of this type is; `checkPresence` has seen to what is required. */
function build(type: ArtifactType, draft: Draft, signature: { readonly signed?: boolean }): Artifact {
  const { files, fields, members, parents, cherrypicks, tags } = draft;
  const date = draft.date!;
  const user = draft.user!;
  const body = draft.body!;
  switch (type) {
    case "check-in": {
      const optional = pick(draft, "baseline", "comment", "mimetype", "filesChecksum", "user");
      return { type, ...optional, ...signature, date, files, parents, cherrypicks, tags };
    }
    case "cluster":
      return { type, members };
    case "control":
      return { type, ...signature, date, tags, user };
    case "wiki": {
      const optional = pick(draft, "comment", "mimetype");
      return { type, ...optional, ...signature, date, title: draft.wikiTitle!, parents, user, body };
    }
    case "ticket":
      return { type, ...signature, date, fields, ticketId: draft.ticketId!, user };
    case "attachment": {
      const source = draft.attachSource === undefined ? {} : { source: draft.attachSource };
      const names = { name: draft.attachName!, target: draft.attachTarget! };
      return { type, ...names, ...source, ...pick(draft, "comment", "mimetype", "user"), ...signature, date };
    }
    case "technote": {
      const { eventDate, technoteId } = draft;
      const optional = pick(draft, "comment", "mimetype", "user");
      const event = { eventDate: eventDate!, technoteId: technoteId! };
      return { type, ...optional, ...signature, date, ...event, parents, tags, body };
    }
    case "forum": {
      const optional = pick(draft, "threadRoot", "title", "inReplyTo", "mimetype");
      return { type, ...optional, ...signature, date, parents, user, body };
    }
  }
}
