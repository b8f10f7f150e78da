/**
 * A repository as a folder of files, one for each artifact, and back (Fossil `src/rebuild.c`).
 *
 *     1a/2b3c…     the artifact 1a2b3c…: its hash, cut after the first digits (none to nine)
 *     .private     hashes of private artifacts, one a line
 *     .rid1        name of the file that holds the first artifact of the repository
 *
 * Shunned artifacts are left out, and private ones unless asked for. On the way back names only tell which kind of hash an
 * artifact is known by: it is computed anew. Names that begin with a dot are passed over.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RepoError } from "./errors.ts";
import { type Hash, hashContent, isHash } from "./hash.ts";
import type { Repo } from "./repo.ts";
import { NO_RID, type Rid } from "./repo-content.ts";

const PRIVATE_LIST = ".private";
const FIRST_NAME = ".rid1";

export interface DeconstructOptions {
  /** Digits of a hash that name the folder, 0 to 9. */
  readonly prefixLength: number;
  readonly withPrivate?: boolean;
  /** Write `.private`. */
  readonly listPrivate?: boolean;
  /** Write `.rid1`. */
  readonly nameFirst?: boolean;
  readonly onProgress?: (doneCount: number, totalCount: number) => void;
}

/**
 * Writes each artifact into a file below `folder`, which is made.
 *
 * @returns how many
 * @throws RepoError `file-unwritable`, `content-damaged`
 */
export function deconstruct(repo: Repo, folder: string, options: DeconstructOptions): number {
  const { db, content } = repo;
  const { prefixLength, withPrivate, listPrivate, nameFirst, onProgress } = options;
  const rows = db
    .prepare(
      `SELECT rid, uuid FROM blob WHERE size>=0 AND NOT EXISTS(SELECT 1 FROM shun WHERE uuid=blob.uuid)
       AND (? OR rid NOT IN private) ORDER BY rid`,
    )
    .values<[Rid, Hash]>(withPrivate || listPrivate ? 1 : 0);
  const nameOf = (hash: Hash) =>
    prefixLength === 0 ? hash : `${hash.slice(0, prefixLength)}/${hash.slice(prefixLength)}`;
  const made = new Set<string>();
  const makeFolder = (name: string) => {
    if (made.has(name)) return;
    mkdirSync(join(folder, name), { recursive: true });
    made.add(name);
  };
  try {
    makeFolder("");
    for (const [i, [rid, hash]] of rows.entries()) {
      const bytes = content.get(rid);
      if (bytes === undefined) continue;
      if (prefixLength > 0) makeFolder(hash.slice(0, prefixLength));
      writeFileSync(join(folder, nameOf(hash)), bytes);
      onProgress?.(i + 1, rows.length);
    }
    if (listPrivate) {
      const hashes = db.prepare("SELECT uuid FROM blob WHERE rid IN private").values<[Hash]>().flat();
      const lines = ["# The hashes of private artifacts", ...hashes];
      writeFileSync(join(folder, PRIVATE_LIST), `${lines.join("\n")}\n`);
    }
    const first = rows.find(([rid]) => rid === 1)?.[1];
    if (nameFirst && first !== undefined) {
      writeFileSync(
        join(folder, FIRST_NAME),
        `# The file holding the artifact with RID=1\n${nameOf(first)}\n`,
      );
    }
  } catch (cause) {
    if (cause instanceof RepoError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code ?? "an error";
    throw new RepoError("file-unwritable", `${folder} cannot be written to (${code})`, { cause });
  }
  return rows.length;
}

export interface ReconstructOptions {
  /** Mark what `.private` lists. */
  readonly readPrivate?: boolean;
  /** Store the artifact that `.rid1` names first. */
  readonly readFirst?: boolean;
  readonly onProgress?: (doneCount: number) => void;
}

/**
 * Stores every file below `folder` as an artifact. The caller holds a write transaction and computes the derived tables
 * afterwards (`rebuildRepository`).
 *
 * @returns how many there are, each once
 * @throws RepoError `file-unreadable`; LimitError `artifact-size`
 */
export function reconstruct(repo: Repo, folder: string, options: ReconstructOptions): number {
  const { content } = repo;
  const names = listNames(folder, "");
  const first = options.readFirst ? readList(folder, FIRST_NAME)[0] : undefined;
  if (first !== undefined && names.delete(first)) {
    const others = [...names];
    names.clear();
    for (const name of [first, ...others]) names.add(name);
  }
  const stored = new Set<Rid>();
  for (const name of names) {
    const bytes = read(join(folder, name));
    const digits = name.replaceAll("/", "");
    const algorithm = isHash(digits) && digits.length === 40 ? "sha1" : "sha3-256";
    stored.add(content.insert(hashContent(bytes, algorithm), bytes, { rcvid: 0, isPrivate: false }));
    options.onProgress?.(stored.size);
  }
  for (const hash of options.readPrivate ? readList(folder, PRIVATE_LIST) : []) {
    const rid = isHash(hash) ? content.ridOf(hash) : undefined;
    if (rid !== undefined && rid !== NO_RID) content.makePrivate(rid);
  }
  return stored.size;
}

/** Files below a folder, by name; links to folders are not followed. */
function listNames(folder: string, below: string): Set<string> {
  const names = new Set<string>();
  for (const entry of entriesOf(join(folder, below))) {
    if (entry.name.startsWith(".")) continue;
    const name = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) for (const inner of listNames(folder, name)) names.add(inner);
    else if (entry.isFile()) names.add(name);
  }
  return names;
}

function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (cause) {
    throw new RepoError("file-unreadable", `the folder ${folder} cannot be read`, { cause });
  }
}

function read(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new RepoError("file-unreadable", `${path} cannot be read`, { cause });
  }
}

/** Lines of a list that are no comments; none when there is no such file. */
function readList(folder: string, name: string): string[] {
  let text: string;
  try {
    text = readFileSync(join(folder, name), "utf8");
  } catch {
    return [];
  }
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}
