/**
 * One checkout, made by stock, and copies of it, each with a repository of its own: in one `edgesync` works, in the
 * other `fossil`. What both leave is then compared: the files, and what the checkout's database says of them by name.
 */
import { cpSync, lstatSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { join } from "node:path";
import { latin1 } from "../../../src/bytes.ts";
import { Db } from "../../../src/db.ts";
import { cli } from "../../cli-process.ts";
import { TempDir } from "../../temp-dir.ts";
import type { RunResult, Stock } from "../stock.ts";

/** Dates of check-ins must not depend on when the test runs. */
const FIRST_DATE_MS = Date.UTC(2025, 0, 1);

export class CheckoutPair implements Disposable {
  readonly dir = new TempDir("pair");
  private copies = 0;
  private checkIns = 0;

  constructor(readonly stock: Stock) {
    stock.okSync(["new", this.repository("base"), "--date-override", "2024-12-31"], { cwd: this.dir.path });
    this.dir.write("base/tree/.keep", "");
    rmSync(this.dir.join("base/tree/.keep"));
    stock.okSync(["open", this.repository("base")], { cwd: this.tree("base") });
    stock.okSync(["settings", "autosync", "off"], { cwd: this.tree("base") });
    // Files change several times within a second here, often to the same size.
    stock.okSync(["settings", "mtime-changes", "off"], { cwd: this.tree("base") });
  }

  tree(copy: string): string {
    return this.dir.join(copy, "tree");
  }

  repository(copy: string): string {
    return this.dir.join(`${copy}.fossil`);
  }

  /** Writes a file of the checkout that copies are made of. */
  write(name: string, content: string | Uint8Array): void {
    this.dir.write(join("base", "tree", name), content);
  }

  /** Runs stock in the checkout that copies are made of. */
  base(...words: string[]): string {
    return this.stock.okSync(words, { cwd: this.tree("base") });
  }

  /** Commits there all there is, and returns the check-in's name. */
  commit(comment: string, ...more: string[]): string {
    const date = new Date(FIRST_DATE_MS + ++this.checkIns * 60_000).toISOString().slice(0, 19);
    const fixed = [
      "--no-warnings",
      "--nosign",
      "--allow-fork",
      "--allow-conflict",
      "--date-override",
      date,
      "--user-override",
      "dev",
    ];
    this.base("addremove");
    this.base("commit", "-m", comment, ...fixed, ...more);
    return this.base("sql", "SELECT lower(value) FROM localdb.vvar WHERE name='checkout-hash'").replace(
      /['\n]/g,
      "",
    );
  }

  /** Two copies, for `edgesync` and for `fossil`. */
  fork(): { ours: string; theirs: string } {
    const number = ++this.copies;
    return { ours: this.copy(`ours${number}`), theirs: this.copy(`theirs${number}`) };
  }

  /** Another copy of a copy. */
  copy(name: string, from = "base"): string {
    cpSync(this.repository(from), this.repository(name));
    cpSync(this.tree(from), this.tree(name), {
      recursive: true,
      preserveTimestamps: true,
      verbatimSymlinks: true,
    });
    const db = Db.open(join(this.tree(name), ".fslckout"), { mode: "write" });
    db.prepare("UPDATE vvar SET value=? WHERE name='repository'").run(this.repository(name));
    db.close();
    return name;
  }

  writeIn(copy: string, name: string, content: string | Uint8Array): void {
    this.dir.write(join(copy, "tree", name), content);
  }

  /** Runs `edgesync repo …` in a copy. */
  async edgesync(copy: string, ...words: string[]): Promise<RunResult> {
    return cli(["repo", ...words, "-C", this.tree(copy)]);
  }

  fossil(copy: string, ...words: string[]): RunResult {
    return this.stock.runSync(words, { cwd: this.tree(copy) });
  }

  /** As `treeOf`. */
  files(copy: string): Record<string, string> {
    return treeOf(this.tree(copy));
  }

  /** The tables of the checkout, by names of artifacts rather than rids, times left out. */
  tables(copy: string): Record<string, unknown> {
    const db = Db.open(join(this.tree(copy), ".fslckout"), { mode: "read" });
    const repo = Db.open(this.repository(copy), { mode: "read" });
    const name = (rid: unknown) =>
      repo.prepare("SELECT uuid FROM blob WHERE rid=?").value<string>(Number(rid)) ?? rid;
    const has = (table: string) => db.prepare("SELECT 1 FROM sqlite_schema WHERE name=?").value(table) === 1;
    const rows = (table: string, columns: string, order: string) => {
      if (!has(table)) return undefined;
      return db.prepare(`SELECT ${columns} FROM ${table} ORDER BY ${order}`).values();
    };
    try {
      const path = new Map(db.prepare("SELECT id, pathname FROM vfile").values<[number, string]>());
      return {
        // Fossil before 2.26 keeps no such table; an update leaves an empty one.
        mergestat:
          !this.stock.atLeast(2, 26) || !has("mergestat")
            ? []
            : rows("mergestat", "ridp,ridv,ridm,op,fnp,fn,sz,fnm,fnr,nc,msg", "coalesce(fn,fnm)")?.map(
                ([ridp, ridv, ridm, ...rest]) => [name(ridp), name(ridv), name(ridm), ...rest],
              ),
        vfile: rows(
          "vfile",
          "vid,rid,mrid,chnged,deleted,isexe,islink,pathname,origname,mhash",
          "pathname",
        )?.map(([vid, rid, mrid, ...rest]) => [name(vid), name(rid), name(mrid), ...rest]),
        vmerge: rows("vmerge", "id,merge,mhash", "id,mhash")
          ?.map(([id, merge, hash]) => [path.get(Number(id)) ?? id, name(merge), hash])
          .sort(),
        checkout:
          rows("vvar", "value", "1 LIMIT 1") &&
          db.prepare("SELECT value FROM vvar WHERE name='checkout-hash'").value(),
        undo: rows("undo", "pathname,redoflag,existsflag,isExe,isLink,content", "pathname")?.map((row) =>
          row.map((value) => (value instanceof Uint8Array ? latin1(value) : value)),
        ),
        available: db.prepare("SELECT value FROM vvar WHERE name='undo_available'").value(),
        stash: rows("stash", "stashid,vid,hash,comment", "stashid")?.map(([id, vid, ...rest]) => [
          id,
          name(vid),
          ...rest,
        ]),
        stashfile: rows(
          "stashfile",
          "stashid,isAdded,isRemoved,isExec,isLink,rid,hash,origname,newname,delta IS NULL",
          "stashid,newname",
        )?.map((row) => row.with(5, name(row[5]) as never)),
      };
    } finally {
      db.close();
      repo.close();
    }
  }

  /** What a copy is now, for comparing. */
  look(copy: string): { files: Record<string, string>; tables: Record<string, unknown> } {
    // Both programs see to the rows of changed files when they are asked for the status.
    this.fossil(copy, "status");
    return { files: this.files(copy), tables: this.tables(copy) };
  }

  [Symbol.dispose](): void {
    this.dir.remove();
  }
}

/** Everything below a checkout's top, but its database: name → permission and content. */
export function treeOf(tree: string): Record<string, string> {
  const found: Record<string, string> = {};
  const walk = (folder: string) => {
    for (const entry of readdirSync(join(tree, folder)).sort()) {
      const name = folder === "" ? entry : `${folder}/${entry}`;
      if (name.startsWith(".fslckout")) continue;
      const path = join(tree, name);
      const stats = lstatSync(path);
      if (stats.isDirectory()) walk(name);
      else if (stats.isSymbolicLink()) found[name] = `-> ${readlinkSync(path)}`;
      else found[name] = `${stats.mode & 0o100 ? "x" : "-"} ${readFileSync(path, "latin1")}`;
    }
  };
  walk("");
  return found;
}
