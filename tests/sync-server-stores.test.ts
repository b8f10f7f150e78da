/** Unversioned files and configuration over the wire, on stores in memory. */
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { compareUtf8, text, utf8 } from "../src/bytes.ts";
import { type Hash, hashContent } from "../src/hash.ts";
import type { Repo } from "../src/repo.ts";
import { serveMessage, WriteNeeded } from "../src/sync-server.ts";
import type {
  ConfigurationAreas,
  ConfigurationRights,
  ConfigurationRow,
  UnversionedEntry,
  UnversionedFiles,
  UnversionedRelation,
} from "../src/sync-server-stores.ts";
import { ScratchRepo } from "./scratch-repo.ts";
import { hex, type Login, type MessagePart, messageOf, VERSION_LINE } from "./sync-exchange.ts";

interface StoredFile extends UnversionedEntry {
  readonly content: Uint8Array | undefined;
}

class MemoryFiles implements UnversionedFiles {
  readonly files = new Map<string, StoredFile>();
  readonly rcvids: number[] = [];

  catalogHash(): string {
    return hashContent(utf8(JSON.stringify([...this.files.values()])), "sha1");
  }
  *entries(): Iterable<UnversionedEntry> {
    const names = [...this.files.keys()].sort(compareUtf8);
    for (const name of names) yield this.files.get(name)!;
  }
  entry(name: string): UnversionedEntry | undefined {
    return this.files.get(name);
  }
  content(name: string): Uint8Array | undefined {
    return this.files.get(name)?.content;
  }
  compare(name: string, mtime: number, hash: Hash | undefined): UnversionedRelation {
    const own = this.files.get(name);
    if (own === undefined) return "unknown";
    if (own.hash === hash) return own.mtime < mtime ? "touched" : own.mtime === mtime ? "same" : "older";
    return own.mtime < mtime ? "newer" : "older";
  }
  put(entry: UnversionedEntry, content: Uint8Array | undefined, rcvid: number): void {
    this.files.set(entry.name, { ...entry, content: content?.slice() });
    this.rcvids.push(rcvid);
  }
  remove(name: string, mtime: number, rcvid: number): void {
    if (!this.files.has(name)) return;
    this.files.set(name, { name, mtime, hash: undefined, size: 0, content: undefined });
    this.rcvids.push(rcvid);
  }
  touch(name: string, mtime: number): void {
    this.files.set(name, { ...this.files.get(name)!, mtime });
  }
}

class MemoryAreas implements ConfigurationAreas {
  readonly received: string[] = [];
  finished = 0;

  *rows(area: string, rights: ConfigurationRights): Iterable<ConfigurationRow> {
    if (area === "/skin") yield { table: "/config", content: utf8("1 'css' value 'x'") };
    if (area === "/user" && rights.isAdmin) yield { table: "/user", content: utf8("1 'ann' cap 's'") };
    if (area === "/email" && rights.seesAddresses)
      yield { table: "/concealed", content: utf8("1 'h' content 'x'") };
  }
  receive({ table, content }: ConfigurationRow): void {
    this.received.push(`${table} ${text(content)}`);
  }
  finish(): void {
    this.finished++;
  }
}

const SERVER_LINE = "pragma server-version 22900 20260821 165942\n";
const END = "# errors 0\n";
const FAILED = "# errors 1\n";
const NOTHING = hex("0");
const WRITER: Login = { user: "uma", password: "pw" };
const ADMIN: Login = { user: "ann", password: "secret" };
const HELLO = hashContent(utf8("hello"), "sha3-256");

let scratch: ScratchRepo;
let repo: Repo;
let files: MemoryFiles;
let areas: MemoryAreas;

beforeEach(() => {
  scratch?.[Symbol.dispose]();
  scratch = new ScratchRepo();
  repo = scratch.repo;
  repo.users.add("uma", { password: "pw", capabilities: "oy" });
  [files, areas] = [new MemoryFiles(), new MemoryAreas()];
});
afterAll(() => scratch[Symbol.dispose]());

function ask(parts: readonly MessagePart[], login?: Login, on: Repo = repo): string {
  const stores = { unversioned: () => files, configuration: () => areas };
  const reply = serveMessage(on, messageOf(on, parts, login), { address: "here", cookie: undefined }, stores);
  return text(reply.message).replace(/# timestamp \S+ errors/, "# errors");
}

const put = (name: string, mtime: number, content: string) =>
  files.put(
    { name, mtime, hash: hashContent(utf8(content), "sha3-256"), size: content.length },
    utf8(content),
    0,
  );
const noRights = () => {
  for (const user of ["nobody", "anonymous"]) repo.users.setCapabilities(user, "");
};

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
    noRights();
    expect(ask([line])).toBe(END);
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
    files.put({ name: "hollow", mtime: 14, hash: HELLO, size: 5 }, undefined, 0);
    const gimmes = ["a", "empty", "gone", "hollow", "other"].map((name) => `uvgimme ${name}\n`);
    const empty = hashContent(utf8(""), "sha3-256");
    expect(ask([VERSION_LINE, ...gimmes])).toBe(
      `${SERVER_LINE}uvfile a 10 ${HELLO} 5 0\nhellouvfile empty 11 ${empty} 0 0\nuvfile gone 13 - 0 1\n` +
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
});

describe("uvfile", () => {
  const card = `uvfile a 10 ${HELLO} 5 0\nhello`;

  test("is stored, with where it came from, unless what is here is newer", () => {
    expect(ask([card, "uvfile b 11 - 0 1\n"], WRITER)).toBe(END);
    expect(files.files.get("a")).toMatchObject({ mtime: 10, hash: HELLO, size: 5 });
    expect(text(files.content("a")!)).toBe("hello");
    expect(files.files.has("b")).toBe(false);
    const row = repo.db
      .prepare("SELECT rcvid, login, rcvfrom.ipaddr FROM rcvfrom JOIN user USING(uid)")
      .values();
    expect(row).toEqual([[files.rcvids[0]!, "uma", "here"]]);
    expect(ask([`uvfile a 20 ${HELLO} 5 4\n`, "uvfile a 15 - 0 1\n"], WRITER)).toBe(END);
    expect(files.files.get("a")).toMatchObject({ mtime: 20, hash: HELLO });
    expect(ask(["uvfile a 30 - 0 1\n"], WRITER)).toBe(END);
    expect(files.files.get("a")).toMatchObject({ mtime: 30, hash: undefined });
    expect(ask([`uvfile c 1 ${hashContent(utf8(""), "sha1")} 0 0\n`], WRITER)).toBe(END);
    expect(files.content("c")).toHaveLength(0);
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
    expect(files.files.size).toBe(0);
  });
});

describe("configuration", () => {
  test("each area to who may have it", () => {
    const all = ["/skin", "/user", "/email", "/unheard-of", "skin"].map((area) => `reqconfig ${area}\n`);
    const skin = "config /config 17\n1 'css' value 'x'\n";
    expect(ask(all)).toBe(skin + END);
    expect(ask(all, ADMIN)).toBe(
      `${skin}config /user 15\n1 'ann' cap 's'\nconfig /concealed 17\n1 'h' content 'x'\n${END}`,
    );
    noRights();
    expect(ask(all)).toBe(END);
  });

  test("is taken from administrators", () => {
    const card = "config /config 17\n1 'css' value 'y'\n";
    expect(ask([VERSION_LINE, card], WRITER)).toBe(
      `error not\\sauthorized\\sto\\spush\\sconfiguration\n${FAILED}`,
    );
    expect(ask([card, card], ADMIN)).toBe(END);
    expect(areas.received).toEqual(["/config 1 'css' value 'y'", "/config 1 'css' value 'y'"]);
    expect(areas.finished).toBe(1);
  });

  test("and files need a writer", () => {
    const reader = scratch.reopen({ mode: "read" });
    expect(() => ask(["config /config 1\nx\n"], ADMIN, reader)).toThrow(WriteNeeded);
    expect(() => ask([`uvfile a 10 ${HELLO} 5 0\nhello`], WRITER, reader)).toThrow(WriteNeeded);
    expect(ask(["reqconfig /skin\n"], undefined, reader)).toContain("config /config");
  });
});
