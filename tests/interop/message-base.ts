/** A repository with something of everything that a sync message can ask for or change, and what is in it. */
import { systemClock } from "../../src/clock.ts";
import { Db } from "../../src/db.ts";
import type { Hash } from "../../src/hash.ts";
import { systemRandom } from "../../src/random.ts";
import { Repo } from "../../src/repo.ts";
import type { Login } from "../sync-exchange.ts";
import type { TempDir } from "../temp-dir.ts";
import type { Stock } from "./stock.ts";

export interface MessageBase {
  readonly path: string;
  readonly projectCode: string;
  readonly publicHashes: readonly Hash[];
  readonly privateHashes: readonly Hash[];
  readonly contents: ReadonlyMap<Hash, Uint8Array>;
  /** The newest check-in on trunk. */
  readonly leaf: Hash;
  readonly shunned: Hash;
  /** SHA1 over the unversioned files. */
  readonly catalogHash: Hash;
}

/** Whoever may do what; `pw` is everyone's password. */
export const PEOPLE = { dev: "s", full: "sxy", pusher: "i", reader1: "o", uma: "oy" } as const;
export const loginOf = (user: string): Login => ({ user, password: "pw" });

/** Of the unversioned files, seconds since 1970. */
export const FILE_TIME = 1_700_000_000;

export async function makeMessageBase(stock: Stock, temp: TempDir): Promise<MessageBase> {
  const path = temp.join("base.fossil");
  const cwd = temp.folder("work");
  const run = (...args: string[]) => stock.ok(args, { cwd });
  await stock.ok(["new", path, "-A", "dev"]);
  await stock.ok(["settings", "backoffice-disable", "1", "-R", path]);
  await stock.ok(["user", "password", "dev", "pw", "-R", path]);
  for (const [login, capabilities] of Object.entries(PEOPLE)) {
    if (login === "dev") continue;
    await stock.ok(["user", "new", login, "x", "pw", "-R", path]);
    await stock.ok(["user", "capabilities", login, capabilities, "-R", path]);
  }
  await run("open", path, "--force");
  await run("settings", "autosync", "off");
  const lines = Array.from({ length: 300 }, (_, i) => `line ${i}`);
  for (let version = 1; version <= 3; version++) {
    lines[version * 40] = `a line of version ${"!".repeat(version)}`;
    temp.write("work/f.txt", lines.join("\n"));
    temp.write("work/new.txt", "new ".repeat(version));
    await run("addremove");
    await run("commit", "--no-warnings", "-m", `check-in ${version}`);
  }
  const leaf = hashIn(path, "SELECT uuid FROM blob JOIN leaf USING(rid) LIMIT 1");
  await stock.ok(["wiki", "create", "Page", "-R", path], { input: "page" });
  await stock.ok(["wiki", "create", "Spam", "-R", path], { input: "spam" });
  await stock.ok(["ticket", "add", "title", "It fails", "status", "Open", "-R", path]);
  temp.write("work/hidden.txt", `hidden\n${lines.join("\n")}`);
  await run("addremove");
  await run("commit", "--no-warnings", "--private", "-m", "hidden");
  await run("close", "--force");
  for (const [name, content] of FILES) {
    const file = temp.write("upload", content);
    await stock.ok(["uv", "add", file, "--as", name, "--mtime", "2023-11-14 22:13:20", "-R", path]);
  }
  await stock.ok(["uv", "rm", "gone", "--mtime", "2023-11-14 22:13:21", "-R", path]);
  const catalogHash = (await stock.ok(["uv", "hash", "-R", path])).trim() as Hash;
  const shunned = hashIn(path, "SELECT uuid FROM blob JOIN event ON objid=rid WHERE comment GLOB '*Spam*'");
  configure(path, shunned);
  const repo = Repo.open(path, { mode: "read", clock: systemClock, random: systemRandom });
  try {
    const rows = repo.db
      .prepare("SELECT uuid, rid IN (SELECT rid FROM private) FROM blob ORDER BY rid")
      .values<[Hash, number]>();
    const of = (mark: number) => rows.filter((row) => row[1] === mark).map(([hash]) => hash);
    return {
      path,
      projectCode: repo.config.projectCode!,
      publicHashes: of(0),
      privateHashes: of(1),
      contents: new Map(rows.map(([hash]) => [hash, repo.content.getByHash(hash)!])),
      leaf,
      shunned,
      catalogHash,
    };
  } finally {
    repo.close();
  }
}

export const FILES: readonly (readonly [name: string, content: string])[] = [
  ["a.txt", "unversioned"],
  ["dir/long", "long enough to be compressed ".repeat(30)],
  ["empty", ""],
  ["gone", "x"],
];

function hashIn(path: string, sql: string): Hash {
  const db = Db.open(path, { mode: "read" });
  try {
    return db.once(sql, (statement) => statement.value<string>()) as Hash;
  } finally {
    db.close();
  }
}

/** Rows of every area, all of one age. */
function configure(path: string, shunned: Hash): void {
  const db = Db.open(path, { mode: "write" });
  const time = FILE_TIME;
  try {
    db.exec(`
      UPDATE config SET mtime=1 WHERE mtime IS NOT NULL;
      UPDATE user SET mtime=${time} WHERE login IN ('uma','reader1');
      UPDATE user SET mtime=NULL WHERE login NOT IN ('uma','reader1');
      INSERT INTO shun(uuid,mtime,scom) VALUES('${shunned}',${time},'spam');
      INSERT INTO concealed(hash,mtime,content) VALUES('${"c".repeat(40)}',${time},'someone@example.org');
      REPLACE INTO config(name,value,mtime) VALUES
        ('css','/* it''s */',${time}), ('header','<h>',${time}), ('logo-image',x'00ff41',${time}),
        ('project-name','Base',${time}), ('ignore-glob','*.o',${time}), ('walias:/x','y',${time}),
        ('interwiki:w','{}',${time}), ('xfer-push-script','',${time}), ('ticket-common','',${time}),
        ('autosync','0',${time}), ('last-sync-url','http://example.org/',${time});
      CREATE TABLE IF NOT EXISTS subscriber(
        subscriberId INTEGER PRIMARY KEY, subscriberCode BLOB DEFAULT (randomblob(32)) UNIQUE,
        semail TEXT UNIQUE COLLATE nocase, suname TEXT, sverified BOOLEAN DEFAULT true,
        sdonotcall BOOLEAN, sdigest BOOLEAN, ssub TEXT, sctime INTDATE, mtime INTDATE, smip TEXT,
        lastContact INT);
      CREATE TABLE IF NOT EXISTS pending_alert(
        eventid TEXT PRIMARY KEY, sentSep BOOLEAN DEFAULT false, sentDigest BOOLEAN DEFAULT false,
        sentMod BOOLEAN DEFAULT false) WITHOUT ROWID;
      INSERT INTO subscriber(semail,suname,sdonotcall,sdigest,ssub,sctime,mtime,smip)
        VALUES('a@example.org',NULL,0,1,'ac',5,${time},'::1')`);
  } finally {
    db.close();
  }
}
