/**
 * Technotes: texts with a place on the timeline (Fossil `src/event.c`, where they are called events). One is known by its
 * id, of which 4 digits or more will do, by the time it stands at, or by one of its tags.
 */
import type { TagEntry, Technote } from "./artifact-types.ts";
import { NameError } from "./errors.ts";
import type { Hash } from "./hash.ts";
import { type EpochMs, formatDateTime, fromJulian } from "./julian.ts";
import { randomHex } from "./random.ts";
import type { Repo } from "./repo.ts";
import { readArtifact } from "./repo-artifact.ts";
import type { Rid } from "./repo-content.ts";
import type { Signature } from "./repo-control.ts";
import { addArtifact, type MadeArtifact, uniqueStart } from "./repo-document.ts";

export interface TechnoteEntry {
  readonly id: string;
  readonly rid: Rid;
  readonly hash: Hash;
  /** Where it stands on the timeline. */
  readonly date: EpochMs;
  readonly user: string | undefined;
  readonly comment: string;
}

/** All technotes, the latest on the timeline first. */
export function technotes(repo: Repo): TechnoteEntry[] {
  return repo.db
    .prepare(
      `SELECT substr(t.tagname,7), e.objid, b.uuid, e.mtime, e.user, e.comment
       FROM event e JOIN tag t USING(tagid) JOIN blob b ON b.rid=e.objid
       WHERE e.type='e' ORDER BY e.mtime DESC`,
    )
    .values<[string, Rid, Hash, number, string | null, string | null]>()
    .map(([id, rid, hash, mtime, user, comment]) => ({
      id,
      rid,
      hash,
      date: fromJulian(mtime),
      user: user ?? undefined,
      comment: comment ?? "",
    }));
}

/**
 * The technote that `name` stands for: an id or its beginning, a time (to the second), a tag.
 *
 * @throws NameError `unknown-id`, `ambiguous-id`
 */
export function findTechnote(repo: Repo, name: string): TechnoteEntry {
  const all = technotes(repo);
  if (/^[0-9a-f]{4,64}$/i.test(name)) {
    const starting = all.filter(({ id }) => id.startsWith(name.toLowerCase()));
    if (starting.length > 0) {
      const ids = starting.map(({ id }) => id);
      const id = uniqueStart("technote", name.toLowerCase(), ids);
      return starting.find((note) => note.id === id)!;
    }
  }
  const time = name.replace("T", " ").replace(/Z$/, "");
  const found = all
    .filter(({ date }) => formatDateTime(date) === time)
    .sort((a, b) => b.rid - a.rid)
    .at(0);
  const tagged = found ?? all.find(({ rid }) => hasTag(repo, rid, name));
  if (tagged !== undefined) return tagged;
  throw new NameError("unknown-id", `there is no technote ${JSON.stringify(name)}`, {
    hint: "edgesync repo technote ls lists them",
  });
}

function hasTag(repo: Repo, rid: Rid, name: string): boolean {
  return (
    repo.db
      .prepare(
        "SELECT 1 FROM tagxref JOIN tag USING(tagid) WHERE rid=? AND tagtype>0 AND tagname IN (?2,'sym-'||?2)",
      )
      .value(rid, name) === 1
  );
}

export function readTechnote(repo: Repo, { rid, id }: TechnoteEntry): Technote {
  const note = readArtifact(repo.content, rid, "technote");
  if (note !== undefined) return note;
  throw new NameError("content-missing", `the text of technote ${id} is not here`, {
    hint: "sync with a peer that has it",
  });
}

export interface TechnoteChange extends Signature {
  /** The technote that this is a new version of; else a new one is made. */
  readonly prior?: TechnoteEntry;
  readonly comment: string;
  readonly body: Uint8Array;
  /** Its place on the timeline; the prior version's, or now. In whole seconds. */
  readonly eventDate?: EpochMs;
  /** The prior version's unless given, as the tags and the colour. */
  readonly mimetype?: string;
  readonly tags?: readonly string[];
  readonly color?: string;
}

/** Adds a technote, or a new version of one. */
export function writeTechnote(repo: Repo, change: TechnoteChange): MadeArtifact & { readonly id: string } {
  const { prior, comment, body, user, color } = change;
  return repo.db.write(() => {
    const before = prior && readTechnote(repo, prior);
    const date = change.date ?? repo.clock.now();
    const eventDate = change.eventDate ?? before?.eventDate ?? date;
    const id = before?.technoteId ?? randomHex(repo.random, 20);
    const own = (name: string, value?: string): TagEntry => ({
      action: "+",
      name,
      target: undefined,
      ...(value !== undefined && { value }),
    });
    const keep = (isColor: boolean) =>
      (before?.tags ?? []).filter(({ name }) => (name === "bgcolor") === isColor);
    const tags = change.tags?.map((name) => own(`sym-${name}`)) ?? keep(false);
    const colors = color === undefined ? keep(true) : color === "" ? [] : [own("bgcolor", color)];
    const mimetype = change.mimetype ?? before?.mimetype;
    const made = addArtifact(repo, user, {
      type: "technote",
      ...(comment.trim() !== "" && { comment: comment.trim() }),
      date,
      eventDate: Math.floor(eventDate / 1000) * 1000,
      technoteId: id,
      ...(mimetype !== undefined && { mimetype }),
      parents: prior === undefined ? [] : [prior.hash],
      tags: [...tags, ...colors],
      user,
      body,
    });
    return { ...made, id };
  });
}
