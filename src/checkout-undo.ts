/**
 * One step back, and forth again, on stock's own tables, so that either program takes back what the other did.
 *
 *     undo(pathname, redoflag, existsflag, isExe, isLink, content)
 *                               a file as it was before the command (redoflag 0), or before the undo (1);
 *                               content NULL when it was not there
 *     undo_vfile, undo_vmerge   the tables as they were
 *     undo_stash, undo_stashfile   stashes that the command dropped, if it did
 *     vvar undo_available       0: nothing, 1: undo, 2: redo
 *     vvar undo_checkout        rid of the check-in that was checked out
 *     vvar undo_cmdline         the command, without the program's name
 *
 * Undoing exchanges what is kept with what is there, file by file in the order they were saved, so that doing it twice
 * changes nothing. Files may be undone one by one; the tables then stay.
 *
 * Source: Fossil `src/undo.c`.
 */
import type { FilePermission } from "./artifact-types.ts";
import { EMPTY } from "./bytes.ts";
import type { Checkout, UndoRecorder } from "./checkout-db.ts";
import { readDisk } from "./checkout-disk.ts";
import { pathProblem } from "./checkout-path.ts";
import { TreeChange } from "./checkout-tree.ts";
import { RepoError } from "./errors.ts";
import type { Rid } from "./repo-content.ts";

export type UndoDirection = "undo" | "redo";

/** Keeps what a command is about to change. Within `Checkout.write`. */
export class UndoLog implements UndoRecorder {
  /** Files saved so far. */
  savedCount = 0;

  private constructor(
    private readonly checkout: Checkout,
    private readonly tree: TreeChange,
  ) {}

  /**
   * Forgets the command before and begins to record another.
   *
   * @param commandLine as it is shown when the user asks what can be undone
   */
  static begin(checkout: Checkout, commandLine: string): UndoLog {
    checkout.dropUndo();
    checkout.db.exec(
      `CREATE TABLE undo(
         pathname TEXT UNIQUE, redoflag BOOLEAN, existsflag BOOLEAN, isExe BOOLEAN, isLink BOOLEAN, content BLOB
       );
       CREATE TABLE undo_vfile AS SELECT * FROM vfile;
       CREATE TABLE undo_vmerge AS SELECT * FROM vmerge;`,
    );
    checkout.setVariable("undo_checkout", checkout.vid);
    checkout.setVariable("undo_available", 1);
    checkout.setVariable("undo_cmdline", commandLine);
    return new UndoLog(checkout, new TreeChange(checkout.root, checkout.settings.allowsLinks));
  }

  /** @throws RepoError `unsafe-path`, `file-unreadable`; LimitError `artifact-size` */
  save(name: string): void {
    const now = stateOf(this.tree, name);
    this.checkout.db
      .prepare(
        `INSERT OR IGNORE INTO undo(pathname,redoflag,existsflag,isExe,isLink,content) VALUES(?,0,?,?,?,?)`,
      )
      .run(name, ...columns(now));
    this.savedCount++;
  }

  /** Keeps a stash that is about to be dropped. */
  saveStash(id: number): void {
    const { db } = this.checkout;
    db.exec(
      `CREATE TABLE IF NOT EXISTS undo_stash AS SELECT * FROM stash WHERE 0;
       CREATE TABLE IF NOT EXISTS undo_stashfile AS SELECT * FROM stashfile WHERE 0;`,
    );
    db.prepare("INSERT INTO undo_stash SELECT * FROM stash WHERE stashid=?").run(id);
    db.prepare("INSERT INTO undo_stashfile SELECT * FROM stashfile WHERE stashid=?").run(id);
  }
}

/** A file as it was or is; `undefined` when there is none. */
interface FileState {
  readonly permission: FilePermission;
  readonly content: Uint8Array;
}

function stateOf(tree: TreeChange, name: string): FileState | undefined {
  const disk = tree.stat(name);
  if (disk === undefined || disk.kind === "other") return undefined;
  return { permission: disk.permission, content: readDisk(tree.path(name), tree.allowLinks, disk) };
}

function columns(state: FileState | undefined): [number, number, number, Uint8Array | null] {
  if (state === undefined) return [0, 0, 0, null];
  const { permission, content } = state;
  return [1, permission === "x" ? 1 : 0, permission === "l" ? 1 : 0, content];
}

/** What can be undone or redone. */
export type UndoOffer = {
  readonly direction: UndoDirection;
  /** The command, without the program's name. */
  readonly commandLine: string;
  /** Files it would change, in order of their names, and whether they would then exist. */
  readonly files: readonly { readonly name: string; readonly exists: boolean }[];
};

export function undoOffer(checkout: Checkout): UndoOffer | undefined {
  const available = Number(checkout.variable("undo_available") ?? 0);
  if (available !== 1 && available !== 2) return undefined;
  const files = checkout.db
    .prepare("SELECT pathname, existsflag FROM undo ORDER BY pathname")
    .values<[string, number]>()
    .map(([name, exists]) => ({ name, exists: exists !== 0 }));
  const direction = available === 1 ? "undo" : "redo";
  return { direction, commandLine: checkout.variable("undo_cmdline") ?? "", files };
}

/** What became of a file: its content was exchanged, it is there again, it has gone. */
export type UndoneFile = {
  readonly name: string;
  readonly outcome: "restored" | "new" | "deleted";
};

/**
 * Takes the last command back, or does it again.
 *
 * @param names only these files, and no tables
 * @throws RepoError `nothing-to-undo`, `file-unwritable`, `path-is-folder`, `disk-full`: then nothing has changed
 */
export function undo(checkout: Checkout, direction: UndoDirection, names?: readonly string[]): UndoneFile[] {
  const tree = new TreeChange(checkout.root, checkout.settings.allowsLinks);
  const flag = direction === "redo" ? 1 : 0;
  try {
    return checkout.write(() => {
      const available = Number(checkout.variable("undo_available") ?? 0);
      if (names === undefined ? available !== 1 + flag : available === 0) throw nothingTo(direction);
      const chosen = names ?? savedNames(checkout, flag);
      const undone = exchangeFiles(checkout, tree, chosen, flag);
      if (names === undefined) {
        exchangeTables(checkout, flag);
        checkout.setVariable("undo_available", 2 - flag);
      }
      return undone;
    });
  } catch (error) {
    tree.rollBack();
    throw error;
  }
}

function savedNames({ db }: Checkout, flag: number): string[] {
  return db
    .prepare("SELECT pathname FROM undo WHERE redoflag=? ORDER BY rowid")
    .values<[string]>(flag)
    .flat();
}

/** Files that go first: a folder may stand where a file is to be, or the other way round. */
function exchangeFiles(
  checkout: Checkout,
  tree: TreeChange,
  names: readonly string[],
  flag: number,
): UndoneFile[] {
  const goes = checkout.db
    .prepare("SELECT pathname FROM undo WHERE redoflag=? AND NOT existsflag")
    .values<[string]>(flag)
    .flat();
  const isGoing = new Set(goes);
  const done = new Map<string, UndoneFile>();
  for (const pass of [true, false]) {
    for (const name of names) {
      if (isGoing.has(name) !== pass) continue;
      const undone = exchangeFile(checkout, tree, name, flag);
      if (undone !== undefined) done.set(name, undone);
    }
    if (pass) tree.removeEmptyFolders(done.keys(), new Set(checkout.settings.emptyFolders()));
  }
  return names.flatMap((name) => done.get(name) ?? []);
}

function exchangeFile(
  { db }: Checkout,
  tree: TreeChange,
  name: string,
  flag: number,
): UndoneFile | undefined {
  const [row] = db
    .prepare("SELECT existsflag, isExe, isLink, content FROM undo WHERE pathname=? AND redoflag=?")
    .values<[number, number, number, Uint8Array | null]>(name, flag);
  if (row === undefined || pathProblem(name) !== undefined) return undefined;
  const [existed, isExecutable, isLink, content] = row;
  const now = stateOf(tree, name);
  if (existed) tree.write(name, content ?? EMPTY, isLink ? "l" : isExecutable ? "x" : "");
  else tree.remove(name);
  db.prepare(
    `UPDATE undo SET existsflag=?2, isExe=?3, isLink=?4, content=?5, redoflag=NOT redoflag WHERE pathname=?1`,
  ).run(name, ...columns(now));
  return { name, outcome: existed ? (now === undefined ? "new" : "restored") : "deleted" };
}

function exchangeTables(checkout: Checkout, flag: number): void {
  const { db, vid } = checkout;
  for (const table of ["vfile", "vmerge"] as const) db.exec(EXCHANGE[table]);
  if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name='undo_stash'").value() !== undefined) {
    db.exec(flag === 1 ? DROP_STASHES : RESTORE_STASHES);
  }
  const before = Number(checkout.variable("undo_checkout") ?? 0);
  checkout.setVariable("undo_checkout", vid);
  checkout.setCheckIn(before === 0 ? undefined : (before as Rid));
}

const exchange = (table: string) =>
  `CREATE TEMP TABLE undo_other AS SELECT * FROM ${table};
   DELETE FROM ${table};
   INSERT INTO ${table} SELECT * FROM undo_${table};
   DELETE FROM undo_${table};
   INSERT INTO undo_${table} SELECT * FROM undo_other;
   DROP TABLE undo_other;`;
const EXCHANGE = { vfile: exchange("vfile"), vmerge: exchange("vmerge") } as const;
const DROP_STASHES = `DELETE FROM stash WHERE stashid IN (SELECT stashid FROM undo_stash);
  DELETE FROM stashfile WHERE stashid NOT IN (SELECT stashid FROM stash);`;
const RESTORE_STASHES = `INSERT OR IGNORE INTO stash SELECT * FROM undo_stash;
  INSERT OR IGNORE INTO stashfile SELECT * FROM undo_stashfile;`;

function nothingTo(direction: UndoDirection): RepoError {
  return new RepoError(`nothing-to-${direction}`, `there is nothing to ${direction}`, {
    hint: "only the last merge, update, revert, clean or stash command can be taken back",
  });
}
