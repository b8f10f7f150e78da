import { describe, expect, test } from "bun:test";
import { encodeText } from "../../src/artifact-escape.ts";
import { parseArtifact } from "../../src/artifact-parse.ts";
import type { Artifact, FileEntry, TagEntry } from "../../src/artifact-types.ts";
import { text } from "../../src/bytes.ts";
import { systemClock } from "../../src/clock.ts";
import { toJulian } from "../../src/julian.ts";
import { seededRandom } from "../../src/random.ts";
import { Repo } from "../../src/repo.ts";
import type { Rid } from "../../src/repo-blob.ts";
import { ARTIFACT_CASES, type ArtifactCase } from "../artifact-cases.ts";
import { TempDir } from "../temp-dir.ts";
import { type Stock, stocks } from "./stock.ts";

/** What a stock version should say of a case. */
function expected({ valid, since, differs }: ArtifactCase, stock: Stock): boolean {
  const older = since !== undefined && !stock.atLeast(...since);
  return valid !== (older || differs !== undefined);
}

/**
 * The rids whose blobs stock refuses. `test-parse-all-blobs` parses what has a row in `event`, so every
 * blob gets one.
 */
function refusedBy(stock: Stock, repository: string): Set<number> {
  const refused = new Set<number>();
  const output = stock.okSync(["test-parse-all-blobs", "-R", repository]);
  for (const [, rid] of output.matchAll(/(\d+) ERROR: /g)) refused.add(Number(rid));
  expect(output).toContain(`${refused.size} errors`);
  return refused;
}

type Json = Record<string, unknown>;

/** Every blob of a repository as stock parses it, by rid; `null` when it is not an artifact. */
function parsedByStock(stock: Stock, repository: string): Map<number, Json | null> {
  const sql = "SELECT rid, artifact_to_json(rid) AS artifact FROM blob";
  // The SQL shell writes rows that are JSON already inside a JSON array of strings.
  const output = stock.okSync(["sql", "-R", repository, "--json", sql]);
  const rows = JSON.parse(output) as { rid: number; artifact: string | null }[];
  return new Map(rows.map(({ rid, artifact }) => [rid, artifact === null ? null : JSON.parse(artifact)]));
}

/** The shape of stock's `artifact_to_json`, without the hash. */
function asStockJson(a: Artifact): Json {
  // Only what is set: stock leaves absent cards out, but writes these as null or [].
  const shape: Record<Artifact["type"], (a: never) => Json> = {
    "check-in": (a: Extract<Artifact, { type: "check-in" }>) => ({
      type: "checkin",
      B: a.baseline,
      F: a.files.map(fileJson),
      P: a.parents,
      Q: some(
        a.cherrypicks.map(({ backout, from, through }) => ({
          type: backout ? "-" : "+",
          target: from,
          base: through ?? null,
        })),
      ),
      R: a.filesChecksum,
      T: some(a.tags.map(tagJson)),
    }),
    cluster: (a: Extract<Artifact, { type: "cluster" }>) => ({
      type: "cluster",
      D: "0.000000",
      M: a.members,
    }),
    control: (a: Extract<Artifact, { type: "control" }>) => ({ type: "tag", T: a.tags.map(tagJson) }),
    wiki: (a: Extract<Artifact, { type: "wiki" }>) => ({ type: "wiki", L: a.title, P: some(a.parents) }),
    ticket: (a: Extract<Artifact, { type: "ticket" }>) => ({ type: "ticket", J: a.fields, K: a.ticketId }),
    attachment: (a: Extract<Artifact, { type: "attachment" }>) => ({
      type: "attachment",
      A: { filename: a.name, target: a.target, source: a.source ?? null },
    }),
    technote: (a: Extract<Artifact, { type: "technote" }>) => ({
      type: "technote",
      E: { time: julianText(a.eventDate), id: a.technoteId },
      P: some(a.parents),
      T: some(a.tags.map(tagJson)),
    }),
    forum: (a: Extract<Artifact, { type: "forum" }>) => ({
      type: "forumpost",
      G: a.threadRoot,
      H: a.title || null,
      I: a.inReplyTo,
      P: some(a.parents),
    }),
  };
  return {
    ...("comment" in a ? { C: a.comment } : {}),
    ...("date" in a ? { D: julianText(a.date) } : {}),
    ...("mimetype" in a ? { N: a.mimetype } : {}),
    ...("user" in a ? { U: a.user } : {}),
    ...("body" in a ? { W: text(a.body) || null } : {}),
    ...shape[a.type](a as never),
  };
}

const some = <T>(list: readonly T[]) => (list.length === 0 ? undefined : list);
const julianText = (time: number) => toJulian(time).toFixed(6);

function fileJson({ name, hash, permission, priorName }: FileEntry): Json {
  return { name, uuid: hash ?? null, perm: permission, rename: priorName ?? null };
}

function tagJson({ action, name, target, value }: TagEntry): Json {
  return { type: action, name, target: target ?? "*", value: value ?? null };
}

/** Our shape from stock's: numbers of fixed width, three permissions, lower-case hashes. */
function comparable(json: Json): Json {
  const { uuid, ...cards } = json;
  const lower = (value: unknown) => (typeof value === "string" ? value.toLowerCase() : value);
  if (typeof cards.D === "number") cards.D = cards.D.toFixed(6);
  if (cards.E !== undefined)
    cards.E = { ...(cards.E as Json), time: ((cards.E as Json).time as number).toFixed(6) };
  if (cards.P !== undefined) cards.P = (cards.P as string[]).map(lower);
  if (cards.F !== undefined) {
    cards.F = (cards.F as Json[]).map((file) => ({
      ...file,
      uuid: lower(file.uuid),
      perm: file.perm === "x" || file.perm === "l" ? file.perm : "",
    }));
  }
  return cards;
}

/** Lone surrogates as what a decoder shows of their bytes, absent fields dropped. */
function printable(json: Json): Json {
  return JSON.parse(JSON.stringify(json), (_, value) =>
    typeof value === "string" ? text(encodeText(value)) : value,
  );
}

/** A repository of nothing but the cases. Their rids in order. */
function casesRepository(path: string): Rid[] {
  const repo = Repo.create(path, { clock: systemClock, random: seededRandom(1n), user: "dev" });
  const addEvent = repo.db.prepare("INSERT INTO event(type, mtime, objid) VALUES('ci', 1, ?)");
  const rids = repo.db.write(() =>
    ARTIFACT_CASES.map(({ bytes }) => {
      const rid = repo.content.put(bytes, { rcvid: 0, isPrivate: false });
      addEvent.run(rid);
      return rid;
    }),
  );
  repo.close();
  return rids;
}

describe.each(stocks().map((stock) => [stock.version, stock] as const))("stock %s", (_, stock) => {
  test(`accepts and refuses the same of ${ARTIFACT_CASES.length} artifacts`, () => {
    using temp = new TempDir();
    const path = temp.join("cases.fossil");
    const rids = casesRepository(path);
    const refused = refusedBy(stock, path);
    expect(refused.size).toBeGreaterThan(100);
    for (const [i, each] of ARTIFACT_CASES.entries()) {
      const { name } = each;
      expect({ name, valid: !refused.has(rids[i]!) }).toEqual({ name, valid: expected(each, stock) });
    }
  });

  // The SQL function that shows what stock has read came with 2.26.
  test.if(stock.atLeast(2, 26))("reads the same from those it accepts", () => {
    using temp = new TempDir();
    const path = temp.join("cases.fossil");
    const rids = casesRepository(path);
    const parsed = parsedByStock(stock, path);
    let compared = 0;
    for (const [i, { name, bytes, valid }] of ARTIFACT_CASES.entries()) {
      const theirs = parsed.get(rids[i]!);
      // To stock a text ends at NUL, so its bodies do: ours are whole.
      if (!theirs || !valid || name === "wiki of binary") continue;
      const ours = printable(asStockJson(parseArtifact(bytes)));
      expect({ name, ...ours }).toEqual({ name, ...printable(comparable(theirs)) });
      compared++;
    }
    expect(compared).toBeGreaterThan(70);
  });
});
