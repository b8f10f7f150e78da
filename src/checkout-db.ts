/**
 * An open checkout: a working tree, its database, its repository.
 *
 * What the modules of merging, undoing and stashing may rely on:
 *   - `db` is the checkout's database, with stock's tables (`checkout-schema.ts`); `repo` is open in the mode
 *     that was asked for. They are two SQLite connections: whatever changes both commits the repository
 *     first, so that a crash in between leaves changes that show as edits, never a checkout of a check-in
 *     that does not exist;
 *   - every change of the tree goes with changes of the tables in one `write`, which holds the lock of the
 *     checkout's database throughout: two commands at once wait for each other or end with `repo-locked`.
 *     When its body throws, the tables are as before; undoing what was done to files is the caller's
 *     (`checkout-tree.ts` collects it);
 *   - `checkIn` is the check-in that is checked out, `undefined` in a checkout without any (`vvar.checkout`
 *     is 0 then). `setCheckIn` alone changes it.
 *
 * The fingerprint tells whether rids in the tables are those of the repository: `RCVID/MD5` of one row of
 * `rcvfrom`, the newest when it was written. When the repository was replaced by a clone the rids of the
 * tables are found anew by name (`checkout-renumber.ts`), and what undo and bisect remember is dropped.
 *
 * Source: Fossil `src/db.c`.
 */
import { existsSync, rmSync } from "node:fs";
import { isAbsolute, join, relative, resolve } from "node:path";
import { type CheckoutPlace, findCheckout, openDatabase, repositoryOf } from "./checkout-place.ts";
import { renumber } from "./checkout-renumber.ts";
import { CHECKOUT_TABLES_SQL } from "./checkout-schema.ts";
import { CheckoutSettings } from "./checkout-settings.ts";
import { Db } from "./db.ts";
import { RepoError } from "./errors.ts";
import { type Hash, md5Hex } from "./hash.ts";
import { Repo, type RepoDependencies } from "./repo.ts";
import type { Rid } from "./repo-content.ts";

export interface OpenCheckoutOptions extends RepoDependencies {
  /** Of the repository. The checkout's database is always written: looking at files refreshes it. */
  readonly mode: "read" | "write";
  /** Used instead of the one that the checkout's database names. */
  readonly repository?: string;
  /** Says where the user's own settings are. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * Told of each file that a command is about to change, so that `undo` can take the command back. Called within
 * `Checkout.write`, before the change; a second call for the same file says nothing new.
 */
export interface UndoRecorder {
  save(name: string): void;
}

/** The database's name in new checkouts. */
const DATABASE_NAME = process.platform === "win32" ? "_FOSSIL_" : ".fslckout";

export class Checkout {
  /** Top folder: absolute, without symbolic links, no slash at its end. */
  readonly root: string;
  /** Path of the database. */
  readonly database: string;
  readonly settings: CheckoutSettings;

  private constructor(
    place: CheckoutPlace,
    readonly db: Db,
    readonly repo: Repo,
    env: NonNullable<OpenCheckoutOptions["env"]> = {},
  ) {
    this.root = place.root;
    this.database = place.database;
    this.settings = new CheckoutSettings({ repo, root: place.root, env });
  }

  /**
   * Opens the checkout at or above `folder`, and its repository.
   *
   * @throws RepoError `no-checkout`, `checkout-broken`, `checkout-outdated`, `checkout-stale` when the check-in
   *   is not in the repository, `repository-moved`, `repo-locked`, and those of `Repo.open`
   */
  static open(folder: string, options: OpenCheckoutOptions): Checkout {
    const place = findCheckout(folder);
    if (place === undefined) {
      throw new RepoError("no-checkout", `${resolve(folder)} is not in a checkout`, {
        hint: "open one with edgesync repo open -R FILE, or name a folder of one with -C",
      });
    }
    const db = openDatabase(place, "write");
    let repo: Repo | undefined;
    try {
      const path = options.repository ?? repositoryOf(place, db);
      if (!existsSync(path)) throw moved(place, path);
      repo = Repo.open(path, options);
      checkSchema(place, db);
      const checkout = new Checkout(place, db, repo, options.env);
      checkout.checkFingerprint();
      return checkout;
    } catch (error) {
      repo?.close();
      db.close();
      throw error;
    }
  }

  /**
   * Makes the database of a new checkout in `root`, which checks nothing out yet.
   *
   * @param root an existing folder, free of symbolic links
   * @param repository as given by the user: what is relative stays so, seen from `root`
   * @throws RepoError `repo-unreadable`, `repo-read-only`, `disk-full`
   */
  static create(
    root: string,
    repository: string,
    repo: Repo,
    env: NonNullable<OpenCheckoutOptions["env"]> = {},
  ): Checkout {
    const place = { root, database: join(root, DATABASE_NAME) };
    const db = Db.open(place.database, { mode: "create" });
    try {
      const checkout = new Checkout(place, db, repo, env);
      db.write(() => {
        db.exec(CHECKOUT_TABLES_SQL);
        checkout.setRepository(repository);
        checkout.setVariable("checkout", 0);
      });
      return checkout;
    } catch (error) {
      db.close();
      rmSync(place.database, { force: true });
      throw error;
    }
  }

  /** The check-in that is checked out. */
  get checkIn(): Rid | undefined {
    return this.vid === 0 ? undefined : (this.vid as Rid);
  }

  /** Rid of the check-in as the tables have it: 0 for none. */
  get vid(): number {
    return Number(this.variable("checkout") ?? 0);
  }

  /** A fact of this checkout: a row of `vvar`. */
  variable(name: string): string | undefined {
    const value = this.db.prepare("SELECT value FROM vvar WHERE name=?").value<string | number | null>(name);
    return value === undefined || value === null ? undefined : String(value);
  }

  setVariable(name: string, value: string | number): void {
    // As text, which is how stock writes them.
    this.db.prepare("REPLACE INTO vvar(name,value) VALUES(?,?)").run(name, String(value));
  }

  unsetVariable(name: string): void {
    this.db.prepare("DELETE FROM vvar WHERE name=?").run(name);
  }

  /** Runs `body` in one transaction of the checkout's database, which keeps other commands out. */
  write<T>(body: () => T): T {
    return this.db.write(body);
  }

  /** From now on `rid` is what is checked out; `undefined`: nothing. Leaves the rows of files alone. */
  setCheckIn(rid: Rid | undefined): void {
    this.setVariable("checkout", rid ?? 0);
    if (rid === undefined) return;
    this.setVariable("checkout-hash", this.repo.content.hashOf(rid));
    const fingerprint = fingerprintOf(this.repo);
    if (fingerprint !== undefined) this.setVariable("fingerprint", fingerprint);
  }

  /** Where the repository is, as the user wrote it; a relative path is one seen from the working directory. */
  setRepository(path: string): void {
    const absolute = resolve(path);
    this.setVariable("repository", isAbsolute(path) ? path : relative(this.root, absolute) || absolute);
  }

  /** Forgets what `undo` could take back. */
  dropUndo(): void {
    for (const table of ["undo", "undo_vfile", "undo_vmerge", "undo_stash", "undo_stashfile"]) {
      this.db.exec(`DROP TABLE IF EXISTS ${table}`);
    }
    this.setVariable("undo_available", 0);
    this.setVariable("undo_checkout", 0);
  }

  /** Closes the database and the repository. */
  close(): void {
    try {
      this.repo.close();
    } finally {
      this.db.close();
    }
  }

  /** @throws RepoError `checkout-stale` */
  private checkFingerprint(): void {
    const { vid, repo } = this;
    const kept = this.variable("fingerprint");
    if (vid === 0) return;
    const hash = this.variable("checkout-hash");
    const isSame = kept === undefined || matches(repo, kept);
    const now = hash === undefined ? undefined : repo.content.ridOf(hash as Hash);
    if (isSame && (hash === undefined || now === vid)) return;
    if (now === undefined || repo.content.isPhantom(now)) {
      throw new RepoError(
        "checkout-stale",
        `check-in ${hash?.slice(0, 10)} of this checkout is not in ${repo.path}`,
        { hint: "sync that repository, or open the right one with edgesync repo open --reopen FILE" },
      );
    }
    this.write(() => {
      renumber(this.db, repo, now);
      this.dropUndo();
      this.setCheckIn(now);
    });
  }
}

/** `RCVID/MD5` of row `rcvid` of `rcvfrom`, the newest unless given. */
function fingerprintOf({ db }: Repo, rcvid?: number): string | undefined {
  const columns = "rcvid, quote(uid), datetime(mtime), quote(nonce), quote(ipaddr)";
  const [row] =
    rcvid === undefined
      ? db.prepare(`SELECT ${columns} FROM rcvfrom ORDER BY rcvid DESC LIMIT 1`).values<Fingerprint>()
      : db.prepare(`SELECT ${columns} FROM rcvfrom WHERE rcvid=?`).values<Fingerprint>(rcvid);
  if (row === undefined) return undefined;
  const [id, user, date, nonce, address] = row;
  return `${id}/${md5Hex(user, date ?? "", nonce, address)}`;
}

type Fingerprint = readonly [id: number, user: string, date: string | null, nonce: string, address: string];

/** Whether `kept` is a fingerprint of this repository, in today's form or that of before 2.24. */
function matches(repo: Repo, kept: string): boolean {
  const rcvid = Number.parseInt(kept, 10);
  if (fingerprintOf(repo, rcvid) === kept) return true;
  const [row] = repo.db
    .prepare("SELECT quote(uid), quote(mtime), quote(nonce), quote(ipaddr) FROM rcvfrom WHERE rcvid=?")
    .values<[string, string, string, string]>(rcvid);
  return row !== undefined && `${rcvid}/${md5Hex(...row)}` === kept;
}

/** @throws RepoError `checkout-outdated` */
function checkSchema({ database }: CheckoutPlace, db: Db): void {
  const has = db.prepare("SELECT count(*) FROM pragma_table_info(?) WHERE name='mhash'");
  if (has.value<number>("vmerge") === 1 && has.value<number>("vfile") === 1) return;
  throw new RepoError("checkout-outdated", `${database} has the tables of a Fossil from before 2019`, {
    hint: "run fossil status here once, which brings them up to date",
  });
}

function moved({ root }: CheckoutPlace, path: string): RepoError {
  return new RepoError("repository-moved", `the repository of the checkout ${root} is not at ${path}`, {
    hint: "if it has moved: edgesync repo open --reopen FILE",
    data: { repository: path },
  });
}
