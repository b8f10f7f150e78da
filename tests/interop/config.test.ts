/** Areas of the configuration between stock clients and ours, row for row as with stock's own server. */
import { describe, expect, test } from "bun:test";
import { copyFileSync } from "node:fs";
import { Db } from "../../src/db.ts";
import { CONFIG_AREAS, type ConfigArea } from "../../src/repo-config-areas.ts";
import { TempDir } from "../temp-dir.ts";
import { type Stock, stocks } from "./stock.ts";
import { dumpTables, rebuildParity } from "./tables.ts";
import { onBothSides, type Side } from "./two-sides.ts";

const PASSWORD = "pass word";
const TABLES = ["config", "user", "shun", "reportfmt", "concealed", "subscriber", "ticket", "ticketchng"];

const TICKET_TABLE = `CREATE TABLE ticket(
  tkt_id INTEGER PRIMARY KEY, tkt_uuid TEXT UNIQUE, tkt_mtime DATE, tkt_ctime DATE, title TEXT, status TEXT, foundin TEXT)`;

/** A repository to be served, and a clone of it to take part with. */
async function makeBase(stock: Stock, temp: TempDir): Promise<string> {
  const base = temp.join("base.fossil");
  await stock.ok(["new", base, "-A", "dev"]);
  await stock.ok(["user", "password", "dev", PASSWORD, "-R", base]);
  await stock.ok(["user", "new", "guest", "x", PASSWORD, "-R", base]);
  await stock.ok(["user", "capabilities", "guest", "o", "-R", base]);
  await stock.ok(["ticket", "add", "title", "It fails", "status", "Open", "foundin", "7", "-R", base]);
  // Whoever asks stock for subscribers needs the table.
  edit(base, `UPDATE user SET mtime=1600000000 WHERE login IN ('dev','guest'); ${SUBSCRIBERS}`);
  const clone = temp.join("clone.fossil");
  await stock.ok(["clone", base, clone, "--no-open"]);
  if (dumpTables(clone, ["subscriber"]).size === 0) edit(clone, SUBSCRIBERS);
  return base;
}

const SUBSCRIBERS = `
CREATE TABLE subscriber(subscriberId INTEGER PRIMARY KEY, subscriberCode BLOB DEFAULT (randomblob(32)) UNIQUE,
  semail TEXT UNIQUE COLLATE nocase, suname TEXT, sverified BOOLEAN DEFAULT true, sdonotcall BOOLEAN,
  sdigest BOOLEAN, ssub TEXT, sctime INTDATE, mtime INTDATE, smip TEXT, lastContact INT);
CREATE TABLE pending_alert(eventid TEXT PRIMARY KEY, sentSep BOOLEAN DEFAULT false,
  sentDigest BOOLEAN DEFAULT false, sentMod BOOLEAN DEFAULT false) WITHOUT ROWID;`;

function edit(path: string, sql: string): void {
  const db = Db.open(path, { mode: "write" });
  try {
    db.exec(sql);
  } finally {
    db.close();
  }
}

/** SQL that writes a row of an area; `name` is part of its key, `time` its age. */
const WRITE: Readonly<
  Record<Exclude<ConfigArea, "all">, (name: string, value: string, time: number) => string>
> = {
  email: (name, value, time) =>
    `REPLACE INTO concealed(hash,content,mtime) VALUES('${name}','${value}',${time})`,
  project: (name, value, time) =>
    setting(`${pick(name, "project-name", "ignore-glob", "mimetypes")}`, value, time),
  skin: (name, value, time) => setting(`${pick(name, "header", "footer", "logo-image")}`, value, time),
  css: (_name, value, time) => setting("css", value, time),
  shun: (name, value, time) =>
    `REPLACE INTO shun(uuid,scom,mtime) VALUES('${name.padEnd(40, "0")}','${value}',${time})`,
  ticket: (name, value, time) =>
    `${setting(pick(name, "ticket-table", "ticket-common", "ticket-viewpage"), name === "a" ? TICKET_TABLE : value, time)};
     REPLACE INTO reportfmt(owner,title,cols,sqlcode,mtime) VALUES('dev','${name}',NULL,'${value}',${time})`,
  user: (name, value, time) =>
    `INSERT INTO user(login,pw,cap,info,mtime,photo) VALUES('${name}','${value}','o',NULL,${time},x'00ff')
     ON CONFLICT(login) DO UPDATE SET info='${value}', mtime=${time}`,
  xfer: (name, value, time) =>
    setting(pick(name, "xfer-common-script", "xfer-push-script", "xfer-ticket-script"), `# ${value}`, time),
  alias: (name, value, time) => setting(`walias:/${name}`, value, time),
  subscriber: (name, value, time) =>
    `INSERT INTO subscriber(semail,suname,sdigest,sdonotcall,ssub,sctime,mtime,smip)
     VALUES('${name}@example.org',NULL,0,0,'${value}',1,${time},'::1')
     ON CONFLICT(semail) DO UPDATE SET ssub='${value}', mtime=${time}`,
  interwiki: (name, value, time) => setting(`interwiki:${name}`, `{"base":"${value}"}`, time),
};

const pick = (name: string, a: string, b: string, c: string) => (name === "a" ? a : name === "b" ? b : c);
const setting = (name: string, value: string, time: number) =>
  `REPLACE INTO config(name,value,mtime) VALUES('${name}','${value.replaceAll("'", "''")}',${time})`;

/** What of a repository's configuration is to be the same on both sides: of `config`, what travels. */
function configuration(path: string): string[] {
  const lines: string[] = [];
  for (const [table, rows] of dumpTables(path, TABLES, "milliseconds")) {
    for (const row of rows) {
      if (table === "config" && !/ mtime=(1[0-6]\d{8}|2\d{9})$/.test(row)) continue;
      lines.push(
        `${table} ${row.replace(/ subscriberCode=\S+/, "").replace(/ (cookie|ipaddr|cexpire)=\S+/g, "")}`,
      );
    }
  }
  return lines;
}

const parts = CONFIG_AREAS.filter((area) => area !== "all");

async function exchange(side: Side): Promise<unknown> {
  const client = side.file("client.fossil");
  const url = side.urlAs("dev", PASSWORD);
  copyFileSync(side.temp.join("clone.fossil"), client);
  const states: [string, string[], string[]][] = [];
  const note = (what: string) => states.push([what, configuration(side.path), configuration(client)]);
  let time = 1_500_000_000;
  for (const area of [...parts, "all"] as const) {
    for (const part of area === "all" ? parts : [area]) {
      const write = WRITE[part];
      edit(client, `${write("a", "by the client", time + 1)}; ${write("c", "older", time + 2)}`);
      edit(side.path, `${write("b", "by the server", time + 1)}; ${write("c", "newer", time + 3)}`);
      time += 10;
    }
    await side.run(["config", "push", area, url, "-R", client]);
    note(`push ${area}`);
    await side.run(["config", "pull", area, url, "-R", client]);
    note(`pull ${area}`);
  }
  await side.run(["config", "sync", "all", url, "-R", client]);
  note("sync");
  return { said: side.said, states };
}

async function refusals(side: Side): Promise<unknown> {
  const client = side.file("guest.fossil");
  const guest = side.urlAs("guest", PASSWORD);
  copyFileSync(side.temp.join("clone.fossil"), client);
  edit(side.path, parts.map((part) => WRITE[part]("b", "secret", 1_500_000_000)).join(";"));
  await side.run(["config", "pull", "all", guest, "-R", client]);
  await side.run(["config", "push", "all", guest, "-R", client]);
  return { said: side.said, client: configuration(client), server: configuration(side.path) };
}

/** An artifact shunned at the server is gone from whoever takes the list and rebuilds. */
async function shunTravels(side: Side): Promise<unknown> {
  const client = side.file("shunner.fossil");
  const url = side.urlAs("dev", PASSWORD);
  copyFileSync(side.temp.join("clone.fossil"), client);
  await side.stock.ok(["wiki", "create", "Spam", "-R", client], { input: "spam" });
  await side.run(["sync", url, "-R", client, "--once"]);
  const spam = side.stock.okSync([
    "sql",
    "SELECT uuid FROM blob JOIN event ON objid=rid WHERE type='w'",
    "-R",
    client,
  ]);
  const hash = spam.trim().replaceAll("'", "");
  edit(side.path, `INSERT INTO shun(uuid,mtime,scom) VALUES('${hash}',1700000000,'spam')`);
  // It is no longer sent, and not taken again either.
  const fresh = side.file("fresh.fossil");
  await side.run(["clone", url, fresh, "--no-open"]);
  const has = (path: string) =>
    side.stock.okSync(["sql", `SELECT count(*) FROM blob WHERE uuid='${hash}'`, "-R", path]);
  const before = has(fresh);
  await side.run(["config", "pull", "shun", url, "-R", client]);
  await side.stock.ok(["rebuild", client]);
  const after = has(client);
  await side.stock.ok(["rebuild", side.path]);
  await side.run(["sync", url, "-R", client, "--once"]);
  return {
    said: side.said.filter((line) => !line.includes("project-id")),
    before,
    after,
    served: has(side.path),
  };
}

describe.each(stocks().map((stock) => [stock.version, stock] as const))("stock %s", (_, stock) => {
  test("pushes, pulls and syncs each of the areas", async () => {
    using temp = new TempDir("config");
    const base = await makeBase(stock, temp);
    const { ours, theirs } = await onBothSides(stock, temp, base, exchange);
    expect(ours).toEqual(theirs);
    expect(await rebuildParity(temp.join("ours-served.fossil"), stock, "received")).toEqual([]);
  });

  test("gets no more than its user may have, and is told why", async () => {
    using temp = new TempDir("config");
    const { ours, theirs } = await onBothSides(stock, temp, await makeBase(stock, temp), refusals);
    expect(ours).toEqual(theirs);
  });

  test("takes the list of shunned artifacts", async () => {
    using temp = new TempDir("config");
    const { ours, theirs } = await onBothSides(stock, temp, await makeBase(stock, temp), shunTravels);
    expect(ours).toEqual(theirs);
  });
});
