import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { formatArtifact } from "../src/artifact-format.ts";
import { text, utf8 } from "../src/bytes.ts";
import { sha1Hex } from "../src/hash.ts";
import type { Repo } from "../src/repo.ts";
import { CONFIG_AREAS, type ConfigArea, findArea, partsOf } from "../src/repo-config-areas.ts";
import { ConfigExchange, type ReceiveRules } from "../src/repo-config-exchange.ts";
import { partsOfSetting } from "../src/repo-config-settings.ts";
import { receiveAll } from "../src/repo-receive.ts";
import { ScratchRepo } from "./scratch-repo.ts";

let scratch: ScratchRepo;
let repo: Repo;

beforeEach(() => {
  scratch?.[Symbol.dispose]();
  scratch = new ScratchRepo();
  repo = scratch.repo;
  repo.db.exec("UPDATE config SET mtime=NULL; UPDATE user SET mtime=NULL; DELETE FROM reportfmt");
});
afterAll(() => scratch[Symbol.dispose]());

const rows = (area: ConfigArea): string[] =>
  [...new ConfigExchange(repo).rows(partsOf(area))].map(({ table, content }) => `${table} ${text(content)}`);

function receive(table: string, row: string, rules?: ReceiveRules): boolean {
  return repo.db.write(() => {
    const exchange = new ConfigExchange(repo);
    const isTaken = exchange.receive({ table, content: utf8(row) }, rules);
    exchange.finish();
    return isTaken;
  });
}

const value = (sql: string) =>
  repo.db.once(sql, (statement) => statement.values<(string | number | null)[]>()[0]);

describe("areas", () => {
  test("are found by the beginning of their names, in stock's order", () => {
    expect(["email", "s", "sk", "sh", "a", "al", "all", "", "zz"].map(findArea)).toEqual([
      "email",
      "skin",
      "skin",
      "shun",
      "alias",
      "alias",
      "all",
      "email",
      undefined,
    ]);
  });

  test("consist of parts, fewer for who has fewer rights", () => {
    const of = (area: ConfigArea, isAdmin = false, seesAddresses = false) =>
      [...partsOf(area, { isAdmin, seesAddresses })].sort();
    expect(of("skin")).toEqual(["css", "skin"]);
    expect(of("css")).toEqual(["css"]);
    expect([of("user"), of("subscriber"), of("email")]).toEqual([[], [], []]);
    expect(of("user", true)).toEqual(["user"]);
    expect(of("email", false, true)).toEqual(["email"]);
    expect(of("all").length).toBe(CONFIG_AREAS.length - 4);
    expect(of("all", true, true).length).toBe(CONFIG_AREAS.length - 1);
  });

  test("settings belong to some, and most to none", () => {
    expect(partsOfSetting("css")).toEqual(["css"]);
    expect(partsOfSetting("th1-uri-regexp").sort()).toEqual(["skin", "ticket", "xfer"]);
    expect(partsOfSetting("walias:/x")).toEqual(["alias"]);
    expect(partsOfSetting("interwiki:x")).toEqual(["interwiki"]);
    for (const name of ["project-code", "th1-setup", "th1-hooks", "last-sync-url", "walias:x", "", "cs"]) {
      expect(partsOfSetting(name)).toEqual([]);
    }
  });
});

describe("rows", () => {
  test("of settings: those of the area that have a time", () => {
    repo.config.set("css", "it's", 5);
    repo.config.set("header", "h", 6);
    repo.config.set("project-name", "P", 7);
    repo.config.set("walias:/a", "b", 8);
    repo.config.set("interwiki:w", "{}", 9);
    repo.config.set("autosync", "off", 10);
    repo.db.exec(
      "INSERT INTO config(name,value,mtime) VALUES('logo-image',x'00ff',11),('index-page','x',NULL)",
    );
    expect(rows("css")).toEqual(["/config 5 'css' value 'it''s'"]);
    expect(rows("skin")).toEqual([
      "/config 5 'css' value 'it''s'",
      "/config 6 'header' value 'h'",
      "/config 11 'logo-image' value X'00FF'",
    ]);
    expect(rows("project")).toEqual(["/config 7 'project-name' value 'P'"]);
    expect(rows("alias")).toEqual(["/config 8 'walias:/a' value 'b'"]);
    expect(rows("interwiki")).toEqual(["/config 9 'interwiki:w' value '{}'"]);
    expect(rows("all")).toHaveLength(6);
  });

  test("of tables", () => {
    repo.db.exec(`
      INSERT INTO shun(uuid,mtime,scom) VALUES('abc',1,NULL);
      INSERT INTO concealed(hash,mtime,content) VALUES('h',2,'a@b');
      INSERT INTO reportfmt(owner,title,mtime,cols,sqlcode) VALUES('o','T',3,NULL,'SELECT');
      UPDATE user SET mtime=4, pw='p', photo=x'01' WHERE login='ann';
      CREATE TABLE dropped(x)`);
    expect(rows("shun")).toEqual(["/shun 1 'abc' scom NULL"]);
    expect(rows("email")).toEqual(["/concealed 2 'h' content 'a@b'"]);
    expect(rows("ticket")).toEqual(["/reportfmt 3 'T' owner 'o' sqlcode 'SELECT' jx '{}'"]);
    expect(rows("user")).toEqual(["/user 4 'ann' pw 'p' cap 's' info '' photo X'01' jx '{}'"]);
    expect(rows("subscriber")).toEqual([]);
  });

  test("of a repository that has no jx yet", () => {
    repo.db.exec("ALTER TABLE user DROP COLUMN jx; UPDATE user SET mtime=4, pw='p' WHERE login='ann'");
    expect(rows("user")).toEqual(["/user 4 'ann' pw 'p' cap 's' info ''"]);
    expect(receive("/user", "5 'ann' cap 'a' jx '{}'")).toBe(true);
    expect(rows("user")).toEqual(["/user 5 'ann' pw 'p' cap 'a' info '' jx '{}'"]);
  });

  test("of subscribers: verified ones", () => {
    const row = "7 'a@b' suname NULL sdigest 0 sdonotcall 1 ssub 'ac' sctime 3 smip '::1'";
    expect(receive("/subscriber", row)).toBe(true);
    expect(receive("/subscriber", row.replace("a@b", "c@d"))).toBe(true);
    expect(value("SELECT length(subscriberCode), sverified, semail FROM subscriber")).toEqual([32, 1, "a@b"]);
    repo.db.exec("UPDATE subscriber SET sverified=0 WHERE semail='c@d'");
    expect(rows("subscriber")).toEqual([`/subscriber ${row}`]);
  });
});

describe("a row received", () => {
  test("is inserted, or updates an older one, in the columns it names", () => {
    expect(receive("/user", "5 'zoe' cap 'i' info 'x'")).toBe(true);
    expect(value("SELECT cap, info, pw, mtime, jx FROM user WHERE login='zoe'")).toEqual([
      "i",
      "x",
      null,
      5,
      "{}",
    ]);
    expect(receive("/user", "5 'zoe' cap 's'")).toBe(false);
    expect(receive("/user", "4 'zoe' cap 's'")).toBe(false);
    expect(receive("/user", "6 'zoe' cap 'o' pw NULL")).toBe(true);
    expect(value("SELECT cap, info, mtime FROM user WHERE login='zoe'")).toEqual(["o", "x", 6]);
    expect(receive("/config", "1 'css' value x'4142'")).toBe(true);
    expect(value("SELECT typeof(value), mtime FROM config WHERE name='css'")).toEqual(["blob", 1]);
    expect(receive("/config", "2 'css' value 17")).toBe(true);
    expect(value("SELECT value FROM config WHERE name='css'")).toEqual(["17"]);
    expect(receive("/shun", `1 '${"a".repeat(40)}' scom 'spam'`)).toBe(true);
    expect(receive("/concealed", "1 'h' content 'c'")).toBe(true);
    expect(receive("/reportfmt", "1 'T' owner 'o' cols 'c' sqlcode 's'")).toBe(true);
  });

  test("leaves one without a time alone", () => {
    expect(receive("/user", "5 'nobody' cap ''")).toBe(false);
    expect(repo.users.get("nobody")?.capabilities).toBe("gjorz");
  });

  test.each([
    ["/config", "1 'project-code' value 'x'"],
    ["/config", "1 'th1-setup' value 'x'"],
    ["/config", "1 'css' value x"],
    ["/config", "1 css value 'x'"],
    ["/blob", "1 'x' content 'x'"],
    ["config", "1 'css' value 'x'"],
    ["@user", "1 'x' cap 's'"],
    ["/tag", "1 'x' value 'x'"],
  ])("%s %s has no effect", (table, row) => {
    const before = rows("all");
    expect(receive(table, row)).toBe(false);
    expect(rows("all")).toEqual(before);
  });

  test("counts only in the parts and with the rights asked for", () => {
    const parts = partsOf("css");
    expect(receive("/config", "1 'header' value 'x'", { parts })).toBe(false);
    expect(receive("/config", "1 'css' value 'x'", { parts })).toBe(true);
    const rights = { isAdmin: false, seesAddresses: false };
    expect(receive("/user", "1 'x' cap 's'", { rights })).toBe(false);
    expect(receive("/config", "1 'user-color-map' value 'x'", { rights })).toBe(false);
    expect(receive("/concealed", "1 'h' content 'c'", { rights })).toBe(false);
    expect(receive("/shun", "1 'x' scom NULL", { rights })).toBe(true);
  });
});

describe("the ticket tables", () => {
  const TABLE =
    "CREATE TABLE ticket(tkt_id INTEGER PRIMARY KEY, tkt_uuid TEXT UNIQUE, tkt_mtime DATE, votes TEXT)";

  beforeEach(() => {
    const change = formatArtifact({
      type: "ticket",
      date: scratch.clock.now(),
      ticketId: sha1Hex("t"),
      user: "ann",
      fields: [
        { name: "title", append: false, value: "T" },
        { name: "votes", append: false, value: "7" },
      ],
    });
    receiveAll(repo, { user: "ann", onWrong: "throw" }, (batch) => batch.add(change));
  });

  test("follow the settings received", () => {
    expect(value("SELECT title FROM ticket")).toEqual(["T"]);
    receive("/config", `1 'ticket-table' value '${TABLE}'`);
    expect(value("SELECT votes FROM ticket")).toEqual(["7"]);
    receive("/config", "2 'ticket-title-expr' value 'votes'");
    expect(value("SELECT comment FROM event WHERE type='t'")?.[0]).toContain("<i>7</i>");
  });

  test("are left alone by what changes nothing", () => {
    repo.db.exec("UPDATE ticket SET title='by hand'");
    receive("/config", "1 'css' value 'x'");
    repo.config.set("ticket-common", "x", 5);
    receive("/config", "5 'ticket-common' value 'y'");
    expect(value("SELECT title FROM ticket")).toEqual(["by hand"]);
  });

  test("that cannot be made are an error", () => {
    expect(() => receive("/config", "1 'ticket-table' value 'CREATE TABLE blob2(x)'")).toThrow(
      "ticket-table",
    );
    expect(repo.config.get("ticket-table")).toBeUndefined();
  });
});
