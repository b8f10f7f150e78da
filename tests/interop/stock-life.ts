/**
 * What happens to a repository after its history was imported, all of it by stock commands and pages: users and
 * settings, code (`stock-code.ts`), words (`stock-words.ts`), exchange through a server, which makes
 * clusters, and unversioned files.
 */
import { unlinkSync } from "node:fs";
import type { TempDir } from "../temp-dir.ts";
import type { Stock } from "./stock.ts";
import { branches, checkIns, manySmall, privateBranch, shun, tagsAndAmendments } from "./stock-code.ts";
import { Hands, PASSWORD } from "./stock-hands.ts";
import { forum, pagesOnly, technotes, tickets, wiki } from "./stock-words.ts";

/** Works on `repository` in a checkout inside `temp`, which is closed at the end. Topics that repeat do so `rounds` times. */
export async function live(stock: Stock, repository: string, temp: TempDir, rounds: number): Promise<void> {
  const hands = new Hands(stock, repository, temp);
  await users(hands);
  await settings(hands);
  await hands.inCheckout(["open", repository, "trunk"]);
  for (let round = 0; round < rounds; round++) {
    await checkIns(hands, round);
    await wiki(hands, round);
    await tickets(hands, round);
    await technotes(hands, round);
  }
  await tagsAndAmendments(hands);
  await branches(hands);
  await shun(hands);
  await privateBranch(hands);
  await throughServer(hands, rounds);
  await unversioned(hands);
  await hands.inCheckout(["close", "--force"]);
}

const TICKET_TABLES = `CREATE TABLE ticket(
  tkt_id INTEGER PRIMARY KEY,
  tkt_uuid TEXT UNIQUE,
  tkt_mtime DATE,
  tkt_ctime DATE,
  type TEXT,
  status TEXT,
  due_date TEXT,
  votes INTEGER DEFAULT 0,
  severity TEXT,
  private_contact TEXT,
  resolution TEXT DEFAULT 'Open',
  title TEXT,
  comment TEXT
);
CREATE TABLE ticketchng(
  tkt_id INTEGER REFERENCES ticket,
  tkt_rid INTEGER REFERENCES blob,
  tkt_mtime DATE,
  login TEXT,
  username TEXT,
  mimetype TEXT,
  icomment TEXT
);
CREATE INDEX ticketchng_idx1 ON ticketchng(tkt_id, tkt_mtime);
`;

async function users(hands: Hands): Promise<void> {
  const people: readonly (readonly [login: string, caps: string])[] = [
    ["alice", "as"],
    ["bob", "v"],
    ["carol", "eioxy23456"],
    ["sp ace", "go"],
  ];
  for (const [login, caps] of people) {
    await hands.inRepository(["user", "new", login, `${login}@example.org`, PASSWORD]);
    await hands.inRepository(["user", "capabilities", login, caps]);
  }
}

/** Both ways of writing manifests are allowed, and the project has changed its ticket table, as many do. */
async function settings(hands: Hands): Promise<void> {
  await hands.inRepository(["settings", "autosync", "0"]);
  await hands.inRepository(["settings", "forbid-delta-manifests", "0"]);
  const value = TICKET_TABLES.replaceAll("'", "''");
  const sql = `REPLACE INTO config(name, value, mtime) VALUES('ticket-table', '${value}', 1600000000)`;
  await hands.inRepository(["sql", sql]);
  await hands.run(["rebuild", hands.repository]);
}

/** Clones, lets the clone pull (which makes clusters at the server), and commits in both. */
async function throughServer(hands: Hands, rounds: number): Promise<void> {
  const clone = hands.temp.join("clone.fossil");
  await hands.served(async (url, login) => {
    await hands.run(["clone", login("alice"), clone, "--no-open", "--once"]);
    await hands.run(["pull", login("alice"), "-R", clone, "--once"]);
    for (let i = 0; i < 3; i++) {
      await hands.run(["wiki", "create", `From the clone ${i}`, "-R", clone], { input: `page ${i}\n` });
    }
    await hands.run(["push", login("alice"), "-R", clone, "--once"]);
    await forum(url, rounds);
    await pagesOnly(hands, url);
    await manySmall(hands);
    await hands.run(["sync", login("alice"), "-R", clone, "--once"]);
  });
  unlinkSync(clone);
}

async function unversioned(hands: Hands): Promise<void> {
  const file = hands.temp.write("upload.txt", "unversioned\n");
  await hands.inRepository(["uv", "add", file, "--as", "download/ünïcode.txt"]);
  await hands.inRepository(["uv", "add", file, "--as", "removed.txt", "--mtime", "2021-01-01T00:00:00"]);
  const large = hands.temp.write(
    "upload.bin",
    new Uint8Array(200_000).map((_, i) => (i * i) >> 3),
  );
  await hands.inRepository(["uv", "add", large, "--as", "large.bin"]);
  await hands.inRepository(["uv", "rm", "removed.txt"]);
  await hands.inRepository(["uv", "touch", "large.bin", "--mtime", "2023-01-01T00:00:00"]);
}
