/** Unversioned files and configuration over the wire. */
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { text, utf8 } from "../src/bytes.ts";
import { hashContent } from "../src/hash.ts";
import type { Repo } from "../src/repo.ts";
import { Unversioned } from "../src/repo-unversioned.ts";
import { serveMessage, WriteNeeded } from "../src/sync-server.ts";
import { ScratchRepo } from "./scratch-repo.ts";
import { hex, type Login, type MessagePart, messageOf, VERSION_LINE } from "./sync-exchange.ts";

const SERVER_LINE = "pragma server-version 22900 20260821 165942\n";
const END = "# errors 0\n";
const FAILED = "# errors 1\n";
const NOTHING = hex("0");
const WRITER: Login = { user: "uma", password: "pw" };
const ADMIN: Login = { user: "ann", password: "secret" };
const HELLO = hashContent(utf8("hello"), "sha3-256");
const EMPTY = hashContent(utf8(""), "sha3-256");

let scratch: ScratchRepo;
let repo: Repo;
let files: Unversioned;

beforeEach(() => {
  scratch?.[Symbol.dispose]();
  scratch = new ScratchRepo();
  repo = scratch.repo;
  repo.users.add("uma", { password: "pw", capabilities: "oy" });
  files = new Unversioned(repo);
});
afterAll(() => scratch[Symbol.dispose]());

function ask(parts: readonly MessagePart[], login?: Login, on: Repo = repo): string {
  const reply = serveMessage(on, messageOf(on, parts, login), { address: "here", cookie: undefined });
  return text(reply.message).replace(/# timestamp \S+ errors/, "# errors");
}

const put = (name: string, mtime: number, content: string) => files.add(name, utf8(content), mtime, 0);
const noRights = () => {
  for (const user of ["nobody", "anonymous"]) repo.users.setCapabilities(user, "");
};
const hasTable = (name: string) =>
  repo.db.prepare("SELECT 1 FROM sqlite_schema WHERE name=?").value(name) !== undefined;

describe("the catalog", () => {
  test("is sent where the hashes differ, once, to who may pull", () => {
    put("b", 20, "hello");
    put("a", 10, "bye");
    files.remove("a", 30, 0);
    const catalog = `uvigot a 30 - 0\nuvigot b 20 ${HELLO} 5\n`;
    const line = `pragma uv-hash ${NOTHING}\n`;
    expect(ask([line, line])).toBe(`pragma uv-pull-only\n${catalog}${END}`);
    expect(ask([line], WRITER)).toBe(`pragma uv-push-ok\n${catalog}${END}`);
    expect(ask([`pragma uv-hash ${files.catalogHash()}\n`])).toBe(END);
    expect(ask([`pragma uv-hash ${files.catalogHash()}\n`, line])).toBe(END);
    noRights();
    expect(ask([line])).toBe(END);
  });

  test("of nothing makes no table", () => {
    expect(ask([`pragma uv-hash ${NOTHING}\n`])).toBe(`pragma uv-pull-only\n${END}`);
    expect(ask(["pragma uv-hash da39a3ee5e6b4b0d3255bfef95601890afd80709\n"])).toBe(END);
    expect(hasTable("unversioned")).toBe(false);
  });

  test("its hash is computed by a writer, and from then on known to readers", () => {
    put("b", 20, "hello");
    const line = `pragma uv-hash ${files.catalogHash()}\n`;
    repo.config.unset("uv-hash");
    const reader = scratch.reopen({ mode: "read" });
    expect(() => ask([line], undefined, reader)).toThrow(WriteNeeded);
    expect(ask([line], undefined, scratch.reopen())).toBe(END);
    expect(ask([line], undefined, scratch.reopen({ mode: "read" }))).toBe(END);
  });

  test("leaves out names that no card can say", () => {
    put("a", 1, "hello");
    repo.db.exec("UPDATE unversioned SET name='a b'");
    expect(ask([`pragma uv-hash ${NOTHING}\n`])).toBe(`pragma uv-pull-only\n${END}`);
  });

  test("comes with a clone where the setting says so", () => {
    put("b", 20, "hello");
    expect(ask([VERSION_LINE, "clone 3 1\n"])).not.toContain("uvigot");
    repo.config.set("uv-sync", "1");
    expect(ask([VERSION_LINE, "clone 3 1\n"])).toStartWith(
      `${SERVER_LINE}pragma uv-pull-only\nuvigot b 20 ${HELLO} 5\nclone_seqno 0\n`,
    );
  });
});

describe("uvgimme", () => {
  test("a file, an empty one, a deleted one, one without content, none", () => {
    put("a", 10, "hello");
    put("empty", 11, "");
    put("gone", 12, "x");
    files.remove("gone", 13, 0);
    put("hollow", 14, "hello");
    repo.db.exec("UPDATE unversioned SET content=NULL WHERE name='hollow'");
    const gimmes = ["a", "empty", "gone", "hollow", "other"].map((name) => `uvgimme ${name}\n`);
    expect(ask([VERSION_LINE, ...gimmes])).toBe(
      `${SERVER_LINE}uvfile a 10 ${HELLO} 5 0\nhellouvfile empty 11 ${EMPTY} 0 0\nuvfile gone 13 - 0 1\n` +
        `uvfile hollow 14 ${HELLO} 5 4\n${END}`,
    );
    noRights();
    expect(ask([VERSION_LINE, ...gimmes])).toBe(SERVER_LINE + END);
  });

  test("over budget, and of a client that knows no SHA3", () => {
    put("a", 10, "hello");
    repo.config.set("max-download", "10");
    expect(ask([VERSION_LINE, "uvgimme a\n"])).toBe(`${SERVER_LINE}uvigot a 10 ${HELLO} 5\n${END}`);
    expect(ask(["uvgimme a\n"])).toBe(`error Fossil\\sversion\\s2.0\\sor\\slater\\srequired.\n${END}`);
  });

  test("before there are any files", () => {
    expect(ask([VERSION_LINE, "uvgimme a\n"])).toBe(SERVER_LINE + END);
  });
});

describe("uvfile", () => {
  const card = `uvfile a 10 ${HELLO} 5 0\nhello`;

  test("is stored, with where it came from, unless what is here is newer", () => {
    expect(ask([card, "uvfile b 11 - 0 1\n"], WRITER)).toBe(END);
    expect(files.entry("a")).toEqual({ name: "a", mtime: 10, hash: HELLO, size: 5 });
    expect(text(files.content("a")!)).toBe("hello");
    expect(files.entry("b")).toBeUndefined();
    const row = repo.db
      .prepare(
        "SELECT login, rcvfrom.ipaddr FROM unversioned JOIN rcvfrom USING(rcvid) JOIN user USING(uid) WHERE name='a'",
      )
      .values();
    expect(row).toEqual([["uma", "here"]]);
    expect(ask([`uvfile a 20 ${HELLO} 5 4\n`, "uvfile a 15 - 0 1\n"], WRITER)).toBe(END);
    expect(files.entry("a")).toMatchObject({ mtime: 20, hash: HELLO });
    expect(text(files.content("a")!)).toBe("hello");
    expect(ask(["uvfile a 30 - 0 1\n"], WRITER)).toBe(END);
    expect(files.entry("a")).toMatchObject({ mtime: 30, hash: undefined });
    expect(ask([`uvfile c 1 ${hashContent(utf8(""), "sha1")} 0 0\n`], WRITER)).toBe(END);
    expect(files.content("c")).toHaveLength(0);
  });

  test("without its content changes nothing but a time", () => {
    put("a", 10, "bye");
    for (const what of [`${HELLO} 5 4`, `${HELLO} 0 0`, `${HELLO} 0 1`, `${HELLO} 5 5`]) {
      expect(ask([`uvfile a 20 ${what}\n`, `uvfile b 20 ${what}\n`], WRITER)).toBe(END);
    }
    expect(files.entries()).toHaveLength(1);
    expect(files.entry("a")).toMatchObject({ mtime: 10 });
    expect(text(files.content("a")!)).toBe("bye");
  });

  test("needs the right y, and the right hash", () => {
    const refused = "error Write+permissions+for+unversioned+files+missing\n";
    expect(ask([card])).toBe(refused + FAILED);
    expect(ask([card], ADMIN)).toBe(refused + FAILED);
    const wrong = `uvfile a 10 ${hex("a", 64)} 5 0\nhello`;
    const mismatch = `error in+uvfile+line%2C+HASH+does+not+match+CONTENT\n${FAILED}`;
    expect(ask([wrong])).toBe(mismatch);
    expect(ask([wrong], WRITER)).toBe(mismatch);
    expect(ask(["uvfile a 10 - 5 0\nhello"], WRITER)).toBe(mismatch);
    expect(ask(["uvfile ../a 10 - 0 1\n"], WRITER)).toBe(`error malformed+uvfile+line\n${FAILED}`);
    expect(files.entries()).toEqual([]);
  });
});

describe("configuration", () => {
  beforeEach(() => {
    repo.config.set("css", "x", 1);
    repo.db.exec("INSERT INTO concealed(hash,mtime,content) VALUES('h',1,'x')");
    repo.db.exec("UPDATE user SET mtime=NULL WHERE login<>'uma'");
    repo.db.exec("UPDATE user SET mtime=1, pw='pw' WHERE login='uma'");
  });

  test("each area to who may have it; the beginning of its name is enough", () => {
    const areas = ["/sk", "/us", "/e", "/unheard-of", "skin"].map((area) => `reqconfig ${area}\n`);
    const skin = "config /config 17\n1 'css' value 'x'\n";
    const uma = "1 'uma' pw 'pw' cap 'oy' info '' jx '{}'";
    expect(ask(areas)).toBe(skin + END);
    expect(ask(areas, ADMIN)).toBe(
      `${skin}config /user ${uma.length}\n${uma}\nconfig /concealed 17\n1 'h' content 'x'\n${END}`,
    );
    noRights();
    expect(ask(areas)).toBe(END);
  });

  test("is taken from administrators", () => {
    const card = "config /config 17\n2 'css' value 'y'\n";
    expect(ask([VERSION_LINE, card], WRITER)).toBe(
      `error not\\sauthorized\\sto\\spush\\sconfiguration\n${FAILED}`,
    );
    expect(repo.config.get("css")).toBe("x");
    expect(ask([card, "config /config 17\n1 'css' value 'z'\n"], ADMIN)).toBe(END);
    expect(repo.config.entry("css")).toEqual({ name: "css", value: "y", mtime: 2 });
  });

  test("of tickets that cannot be had undoes the request", () => {
    const table = "5 'ticket-table' value 'CREATE TABLE other(x)'";
    const cards = ["config /config 17\n9 'css' value 'y'\n", `config /config ${table.length}\n${table}\n`];
    expect(() => ask(cards, ADMIN)).toThrow("ticket-table");
    expect(repo.config.get("css")).toBe("x");
    expect(repo.config.get("ticket-table")).toBeUndefined();
    expect(hasTable("ticket")).toBe(true);
  });

  test("and files need a writer", () => {
    const reader = scratch.reopen({ mode: "read" });
    expect(() => ask(["config /config 1\nx\n"], ADMIN, reader)).toThrow(WriteNeeded);
    expect(() => ask([`uvfile a 10 ${HELLO} 5 0\nhello`], WRITER, reader)).toThrow(WriteNeeded);
    expect(ask(["reqconfig /skin\n"], undefined, reader)).toContain("config /config");
  });
});
