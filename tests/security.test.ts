/**
 * Attacks on what strangers reach, as docs/security.md lists them; those that have no better place. Also checks that each
 * line of that list names a test that is there.
 */
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { formatArtifact } from "../src/artifact-format.ts";
import { concat, text, utf8 } from "../src/bytes.ts";
import { systemClock } from "../src/clock.ts";
import type { EdgeSyncError } from "../src/errors.ts";
import { hashContent, sha1Hex } from "../src/hash.ts";
import { type Leaf, type LeafOptions, startLeaf } from "../src/leaf.ts";
import { inlineThreads } from "../src/leaf-repositories.ts";
import { silentLogger } from "../src/log.ts";
import { systemRandom } from "../src/random.ts";
import type { Repo } from "../src/repo.ts";
import { CAPABILITIES } from "../src/repo-capability.ts";
import { commit } from "../src/repo-checkin.ts";
import { receiveAll } from "../src/repo-receive.ts";
import { Unversioned } from "../src/repo-unversioned.ts";
import { parseRemote } from "../src/sync-remote.ts";
import { serveMessage } from "../src/sync-server.ts";
import type { CardType } from "../src/xfer-card.ts";
import { CARD_TABLE } from "../src/xfer-card-table.ts";
import { packBlob } from "../src/zlib.ts";
import { ScratchRepo } from "./scratch-repo.ts";
import { hex, type Login, type MessagePart, messageOf, pullLine, pushLine, store } from "./sync-exchange.ts";

const DOCUMENT = join(import.meta.dir, "..", "docs", "security.md");

test("each line of docs/security.md names a test that is there", () => {
  const rows = readFileSync(DOCUMENT, "utf8")
    .split("## Attacks")[1]!
    .split("\n")
    .filter((line) => /^\| (?!attack|---)/.test(line));
  expect(rows.length).toBeGreaterThan(25);
  for (const row of rows) {
    const named = [
      ...row
        .split(" | ")
        .at(-1)!
        .matchAll(/`([\w/-]+\.test\.ts): ([^`]+)`/g),
    ];
    expect({ row, named: named.length > 0 }).toEqual({ row, named: true });
    for (const [, file, words] of named) {
      const isThere = readFileSync(join(import.meta.dir, file!), "utf8").includes(words!);
      expect({ row, words, isThere }).toEqual({ row, words, isThere: true });
    }
  }
});

const BOB: Login = { user: "bob", password: "pw" };
let scratch: ScratchRepo;
let repo: Repo;

beforeEach(() => {
  scratch?.[Symbol.dispose]();
  scratch = new ScratchRepo();
  repo = scratch.repo;
  repo.users.add("bob", { password: "pw", capabilities: "gio" });
  for (const user of ["nobody", "anonymous"]) repo.users.setCapabilities(user, "");
});
afterAll(() => scratch[Symbol.dispose]());

const serve = (message: Uint8Array): string =>
  text(serveMessage(repo, message, { address: "192.0.2.1", cookie: undefined }).message);
const say = (parts: readonly MessagePart[], login?: Login): string =>
  serve(messageOf(repo, parts, login)).replace(/# timestamp \S+/, "# timestamp");

/** Everything that is in the repository, less what a request may always leave. */
function snapshot(): string {
  const rows = (sql: string) => JSON.stringify(repo.db.prepare(sql).values());
  const uv = repo.db.prepare("SELECT 1 FROM sqlite_schema WHERE name='unversioned'").value() !== undefined;
  return [
    rows("SELECT uuid,size FROM blob ORDER BY rid"),
    rows("SELECT login,pw,cap,info FROM user ORDER BY uid"),
    rows("SELECT name,value FROM config WHERE name NOT LIKE 'edit-lock-%' AND name<>'uv-hash' ORDER BY name"),
    rows("SELECT uuid FROM shun ORDER BY uuid"),
    uv ? rows("SELECT name,mtime,hash FROM unversioned ORDER BY name") : "",
    rows("SELECT name FROM sqlite_schema WHERE name<>'unversioned' ORDER BY name"),
  ].join("\n");
}

function fileCard(content: string): Uint8Array {
  const bytes = utf8(content);
  return concat([utf8(`file ${hashContent(bytes, "sha3-256")} ${bytes.length}\n`), bytes]);
}

describe("logins", () => {
  test("a message that is sent again does nothing new; its login is good for no other message", () => {
    const message = messageOf(repo, [pushLine(repo), fileCard("hello")], BOB);
    serve(message);
    const before = snapshot();
    expect(serve(message)).toMatch(/^# timestamp \S+ errors 0\n$/);
    expect(snapshot()).toBe(before);
    const login = message.subarray(0, message.indexOf(10) + 1);
    for (const rest of [[pushLine(repo), fileCard("other")], [pullLine(repo)], []]) {
      const parts = rest.map((part) => (typeof part === "string" ? utf8(part) : part));
      expect(serve(concat([login, ...parts]))).toStartWith("error login\\sfailed");
    }
    expect(snapshot()).toBe(before);
  });

  test("a login of another project is none here", () => {
    using other = new ScratchRepo();
    other.repo.config.set("project-code", hex("7"));
    other.repo.users.add("bob", { password: "pw", capabilities: "gio" });
    expect(serve(messageOf(other.repo, [pullLine(repo)], BOB))).toStartWith("error login\\sfailed");
  });

  test("who does not exist is answered as who gave a wrong password", () => {
    repo.users.add("locked", { capabilities: "gio" });
    const answers = [
      say(["# x\n"], { user: "bob", password: "wrong" }),
      say(["# x\n"], { user: "nobody-of-that-name", password: "pw" }),
      say(["# x\n"], { user: "locked", password: "" }),
      say(["# x\n"], { user: "developer", password: "" }),
      say(["# x\n"], { user: "it's \"; DROP TABLE user; --", password: "pw" }),
    ];
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]).toStartWith("error login\\sfailed");
  });

  test("who does not exist is answered no sooner, and the first wrong digit no sooner than the last", () => {
    const nonce = sha1Hex("nonce");
    const secret = repo.db.prepare("SELECT pw FROM user WHERE login='bob'").value<string>()!;
    const right = sha1Hex(nonce, secret);
    const change = (at: number) =>
      `${right.slice(0, at)}${right[at] === "0" ? "1" : "0"}${right.slice(at + 1)}`;
    const cases = {
      early: () => repo.users.checkSignature("bob", nonce, change(0)),
      late: () => repo.users.checkSignature("bob", nonce, change(39)),
      nobody: () => repo.users.checkSignature("zoe", nonce, change(0)),
    };
    expect(repo.users.checkSignature("bob", nonce, right)).toBe(true);
    /** How much longer others take than the first: each beside it in small batches, whose order turns; the middle of all. */
    const ratios = () => {
      const checks = Object.values(cases);
      const rounds = Array.from({ length: 101 }, (_, round) => {
        const tookMs: number[] = [];
        for (const turn of checks.keys()) {
          const which = (round + turn) % checks.length;
          const started = performance.now();
          for (let i = 0; i < 20; i++) checks[which]!();
          tookMs[which] = performance.now() - started;
        }
        return tookMs.slice(1).map((one) => one / tookMs[0]!);
      });
      return checks.slice(1).map((_, which) => {
        const sorted = rounds.map((round) => round[which]!).sort((a, b) => a - b);
        return sorted[sorted.length >> 1]!;
      });
    };
    const isAlike = () => ratios().every((ratio) => ratio > 0.85 && ratio < 1.18);
    // A hash less is 0.78. A machine that is busy may favour one of them; what differs differs each time.
    expect([1, 2, 3, 4, 5].some(isAlike)).toBe(true);
  });
});

/** One message of each card that a client may send, with what it needs beside it. */
function attempts(secret: string, open: string): Readonly<Record<string, readonly MessagePart[]>> {
  const [pull, push] = [pullLine(repo), pushLine(repo)];
  const user = "1700000000 'mallory' pw 'x' cap 's' info '' photo NULL";
  const shunned = `1700000000 '${open}' scom 'no'`;
  const config = (area: string, row: string) => `config /${area} ${row.length}\n${row}\n`;
  return {
    clone: ["clone 3 1\n"],
    pull: [pull],
    push: [push],
    file: [push, fileCard("a new file\n")],
    cfile: [push, cfile("a new file\n", 11)],
    igot: [push, `igot ${hex("5")}\n`],
    gimme: [pull, `gimme ${open}\n`, `gimme ${secret}\n`],
    private: [push, "pragma send-private\n", "private\n", fileCard("private")],
    reqconfig: ["reqconfig /all\n", "reqconfig /user\n"],
    config: [config("user", user), config("shun", shunned), config("project", "1 'project-name' value 'x'")],
    uvfile: [`uvfile u 4000000000 ${sha1Hex(utf8("hello"))} 5 0\nhello\n`, `uvfile x 4000000000 - 0 1\n`],
    uvgimme: ["uvgimme u\n"],
    "pragma send-private": [pull, "pragma send-private\n", `gimme ${secret}\n`],
    "pragma send-catalog": [pull, "pragma send-catalog\n"],
    "pragma req-clusters": ["pragma req-clusters\n"],
    "pragma req-links": ["pragma req-links\n"],
    "pragma client-url": ["pragma client-url http://evil.example/\n"],
    "pragma uv-hash": [`pragma uv-hash ${hex("0")}\n`],
    "pragma ci-lock": ["pragma ci-lock a b\n"],
    "pragma ci-unlock": ["pragma ci-unlock a\n"],
    "pragma edgesync-whole": [pull, `pragma edgesync-whole ${open}\n`],
    "pragma edgesync-gimme-only": [pull, "pragma edgesync-gimme-only\n", `gimme ${open}\n`],
    "pragma client-version": ["pragma client-version 22900 20260821 165942\n"],
    cookie: ["cookie abc\n"],
    login: [],
  };
}

function cfile(content: string, declared: number): Uint8Array {
  const bytes = utf8(content);
  const packed = packBlob(bytes);
  const hash = hashContent(bytes, "sha3-256");
  return concat([utf8(`cfile ${hash} ${declared} ${packed.length}\n`), packed]);
}

/** What lets somebody store, or see, anything: `s` and `a` bring all, `u` and `v` stand for groups. */
const WRITING = ["i", "y", "a", "s", "u", "v"];
const READING = ["o", "g", "x", "i", "a", "s", "u", "v"];

describe("rights", () => {
  let secret: string;
  let open: string;
  let uvHash: string;

  beforeEach(() => {
    repo.users.setCapabilities("developer", "");
    repo.users.setCapabilities("reader", "");
    open = store(repo, "public content");
    secret = store(repo, "private content", true);
    new Unversioned(repo).add("u", utf8("unversioned"), 5, 0);
    uvHash = new Unversioned(repo).entries()[0]!.hash!;
    repo.users.add("eve", { password: "pw", capabilities: "" });
  });

  test("every card of a client is tried", () => {
    const known = (Object.keys(CARD_TABLE) as CardType[]).filter((type) =>
      CARD_TABLE[type].from.includes("client" as never),
    );
    expect(Object.keys(attempts(secret, open)).sort()).toEqual([...known].sort());
  });

  test("whoever may not write changes nothing, by any card", () => {
    const letters = Object.keys(CAPABILITIES).filter((letter) => !WRITING.includes(letter));
    repo.users.setCapabilities("eve", letters.join(""));
    const before = snapshot();
    for (const [card, parts] of Object.entries(attempts(secret, open))) {
      say(parts, { user: "eve", password: "pw" });
      say(parts);
      expect({ card, state: snapshot() }).toEqual({ card, state: before });
    }
  });

  test("whoever may not read is told nothing, by any card", () => {
    const letters = Object.keys(CAPABILITIES).filter((letter) => !READING.includes(letter));
    repo.users.setCapabilities("eve", letters.join(""));
    for (const [card, parts] of Object.entries(attempts(secret, open))) {
      for (const said of [say(parts, { user: "eve", password: "pw" }), say(parts)]) {
        for (const what of [
          open,
          secret,
          uvHash,
          "unversioned",
          "private content",
          "public content",
          "bob",
          "ann",
        ]) {
          // A card that is not understood is said again.
          const told = said
            .split("\n")
            .filter((line) => !line.startsWith("error "))
            .join("\n");
          expect({ card, what, isTold: told.includes(what) }).toEqual({ card, what, isTold: false });
        }
      }
    }
  });

  test("a reader without x is told nothing of private artifacts, by any card", () => {
    repo.users.setCapabilities("eve", "gio");
    for (const [card, parts] of Object.entries(attempts(secret, open))) {
      const said = say(parts, { user: "eve", password: "pw" });
      expect({ card, isTold: said.includes(secret) || said.includes("private content") }).toEqual({
        card,
        isTold: false,
      });
    }
  });
});

describe("names and values that are SQL", () => {
  const EVIL = [
    "'; DROP TABLE blob; --",
    "x' OR '1'='1",
    '"; DELETE FROM user; --',
    "%_[*]?",
    "$(id)';\"",
    "a]]`b`",
  ];

  test.each(EVIL)("%j is stored as it is, and nothing else happens", (evil) => {
    const tables = () => repo.db.prepare("SELECT name FROM sqlite_schema ORDER BY name").values().flat();
    const users = repo.db.prepare("SELECT count(*) FROM user").value();
    new Unversioned(repo).add("first", utf8("x"), 1, 0);
    const { hash: target } = commit(repo, {
      edits: [{ name: "f", content: utf8("1") }],
      comment: "c",
      user: "ann",
    });
    const before = tables();
    const common = { date: Date.UTC(2026, 0, 1), user: evil };
    // The format has no place for blanks in names of tags and of branches.
    const word = evil.replaceAll(" ", "/**/");
    receiveAll(repo, { user: "ann", onWrong: "throw" }, (batch) => {
      const wiki = {
        type: "wiki",
        ...common,
        title: evil,
        parents: [],
        body: utf8(evil),
        mimetype: "text/x-markdown",
      } as const;
      const tag = { action: "*", name: word, target, value: evil } as const;
      const fields = [
        { name: "title", append: false, value: evil },
        { name: word, append: false, value: "x" },
      ];
      for (const artifact of [
        wiki,
        { type: "control", ...common, tags: [tag] } as const,
        { type: "ticket", ...common, ticketId: sha1Hex("t"), fields } as const,
      ]) {
        batch.add(formatArtifact(artifact as never), { isUnsent: true });
      }
    });
    commit(repo, { edits: [{ name: evil, content: utf8("2") }], comment: evil, user: evil, branch: word });
    new Unversioned(repo).add(word, utf8(evil), 5, 0);
    const row = `1700000000 '${evil.replaceAll("'", "''")}' value '${evil.replaceAll("'", "''")}'`;
    say([`config /project ${utf8(row).length}\n`, utf8(row), "\n"], { user: "ann", password: "secret" });
    expect(repo.db.prepare("SELECT count(*) FROM user").value()).toBe(users!);
    expect(tables()).toEqual(before);
    expect(repo.db.prepare("PRAGMA integrity_check").value()).toBe("ok");
    expect(repo.db.prepare("SELECT 1 FROM filename WHERE name=?").value(evil)).toBe(1);
    expect(
      repo.db.prepare("SELECT count(*) FROM event WHERE user=? OR euser=?").value<number>(evil, evil)!,
    ).toBeGreaterThan(0);
    expect(new Unversioned(repo).content(word)).toEqual(utf8(evil));
  });
});

describe("an address that cannot be used", () => {
  test.each([
    "http://eve:SECRET@host:99999/",
    "http://eve:a/SECRET@host:99999/",
    "http://eve:a@SECRET@host:99999/",
    "https://eve:SECRET@ho st/",
    "nats://eve:SECRET@host/no-code",
    "nats://SECRET@host/no-code",
    "nats://eve:a/SECRET@host/x?y=z",
  ])("%s is told without its password", (written) => {
    const told = (() => {
      try {
        return parseRemote(written);
      } catch (error) {
        return error as EdgeSyncError;
      }
    })();
    expect(told).toMatchObject({ code: "bad-remote" });
    const { message, hint, data } = told as EdgeSyncError;
    expect(message).toContain("host".slice(0, 2));
    expect(JSON.stringify([message, hint, data])).not.toContain("SECRET");
  });
});

describe("little that claims to be much", () => {
  const grown = (act: () => void): number => {
    Bun.gc(true);
    const before = process.memoryUsage.rss();
    act();
    return process.memoryUsage.rss() - before;
  };
  const SMALL_BYTES = 96_000_000;

  test("a delta that claims 4 GB is refused, at no cost", () => {
    const source = store(repo, "0123456789");
    const copies = "3~~~~~@0,".repeat(50);
    for (const delta of [`3~~~~~\n3~~~~~@0,0;`, `3~~~~~\n${copies}0;`, `wb000\n${"A@0,".repeat(99)}0;`]) {
      const card = `file ${hex("9")} ${source} ${delta.length}\n${delta}\n`;
      let failure = "";
      const bytes = grown(() => {
        try {
          say([pushLine(repo), card], BOB);
        } catch (error) {
          failure = (error as { code: string }).code;
        }
      });
      expect(failure).toMatch(/^delta-/);
      expect(bytes).toBeLessThan(SMALL_BYTES);
    }
  });

  test("an artifact that inflates to more than it says is refused before it does", () => {
    const packed = packBlob(new Uint8Array(400_000_000), 1);
    for (const declared of [10, 100_000]) {
      new DataView(packed.buffer).setUint32(0, declared);
      const card = concat([utf8(`cfile ${hex("9")} ${declared} ${packed.length}\n`), packed]);
      let failure = "";
      const bytes = grown(() => {
        try {
          say([pushLine(repo), card], BOB);
        } catch (error) {
          failure = (error as { code: string }).code;
        }
      });
      expect(failure).toMatch(/zlib|size/);
      expect(bytes).toBeLessThan(SMALL_BYTES);
    }
  });
});

describe("over HTTP", () => {
  const deps = { clock: systemClock, random: systemRandom };

  async function withLeaf(
    options: Partial<LeafOptions>,
    body: (leaf: Leaf, url: URL) => Promise<void>,
  ): Promise<void> {
    const leaf = await startLeaf(
      { source: { file: scratch.path }, http: { host: "127.0.0.1", port: 0 }, version: "test", ...options },
      { ...deps, log: silentLogger, threads: inlineThreads(deps) },
    );
    try {
      await body(leaf, new URL(leaf.httpUrl!));
    } finally {
      await leaf.stop();
    }
  }

  /** Sends bytes and hears what comes until the connection ends, or `undefined` when nothing has come. */
  async function raw(url: URL, ...parts: readonly string[]): Promise<string> {
    const socket = connect(Number(url.port), "127.0.0.1");
    let said = "";
    socket.on("data", (bytes) => {
      said += String(bytes);
    });
    socket.on("error", () => {});
    for (const part of parts) socket.write(part);
    await new Promise((resolve) => {
      socket.on("close", resolve);
      socket.on("data", resolve);
    });
    socket.destroy();
    return said.split("\r\n", 1)[0]!;
  }

  test("heads that are too long, or of too many lines, are refused, and others are served", async () => {
    await withLeaf({}, async (_leaf, url) => {
      const head = "GET / HTTP/1.1\r\nHost: x\r\n";
      for (const attack of [
        `${head}X-Long: ${"a".repeat(1_000_000)}\r\n\r\n`,
        `${head}${"X-Many: y\r\n".repeat(50_000)}\r\n`,
        `GET /${"a".repeat(1_000_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
        `POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-fossil\r\nContent-Length: 99999999999999999999\r\n\r\n`,
        `POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-fossil\r\nContent-Length: -1\r\n\r\n`,
        `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n`,
      ]) {
        const said = await raw(url, attack);
        expect({ attack: attack.slice(0, 60), said: /^(HTTP\/1\.1 4\d\d|$)/.test(said) }).toEqual({
          attack: attack.slice(0, 60),
          said: true,
        });
        expect((await fetch(new URL("/healthz", url))).status).toBe(200);
      }
    });
  });

  test("while hundreds are connected and say nothing, others are served", async () => {
    await withLeaf({}, async (_leaf, url) => {
      const idle = Array.from({ length: 400 }, () => connect(Number(url.port), "127.0.0.1"));
      await Promise.all(idle.map((socket) => new Promise((resolve) => socket.on("connect", resolve))));
      for (let i = 0; i < 5; i++) expect((await fetch(url)).status).toBe(200);
      for (const socket of idle) socket.destroy();
    });
  });

  test("metrics are for this machine, unless they are for all; a proxy is no reason", async () => {
    const metrics = async (url: URL, headers: Record<string, string> = {}) =>
      (await fetch(new URL("/metrics", url), { headers })).status;
    await withLeaf({}, async (_leaf, url) => {
      expect(await metrics(url)).toBe(200);
      expect(await metrics(url, { "X-Forwarded-For": "203.0.113.5" })).toBe(403);
    });
    await withLeaf({ trustProxy: true }, async (_leaf, url) => {
      expect(await metrics(url, { "X-Forwarded-For": "203.0.113.5" })).toBe(403);
    });
    await withLeaf({ publicMetrics: true }, async (_leaf, url) => {
      expect(await metrics(url, { "X-Forwarded-For": "203.0.113.5" })).toBe(200);
    });
  });

  test("pages count as visits; health does not", async () => {
    await withLeaf({ limits: { visitsPerAddressMaxCount: 1 } }, async (leaf, url) => {
      const page = async () => (await fetch(url, { keepalive: false })).status;
      expect(await page()).toBe(200);
      const socket = connect(Number(url.port), "127.0.0.1");
      socket.write(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-fossil\r\nContent-Length: 9\r\n\r\nx",
      );
      while (!(await leaf.telemetry.text()).includes("edgesync_http_exchanges_open 1\n")) await Bun.sleep(1);
      expect(await page()).toBe(503);
      expect((await fetch(new URL("/healthz", url))).status).toBe(200);
      socket.destroy();
      while (!(await leaf.telemetry.text()).includes("edgesync_http_exchanges_open 0\n")) await Bun.sleep(1);
      for (let i = 0; i < 3; i++) expect(await page()).toBe(200);
    });
  });

  test("what goes wrong is told without paths", async () => {
    await withLeaf({}, async (_leaf, url) => {
      repo.close();
      scratch.folder.write(
        "x.fossil",
        "no repository any more, but quite long enough to be looked at as one\n".repeat(99),
      );
      for (const path of ["/", "/readyz"]) {
        const reply = await fetch(new URL(path, url));
        const said = await reply.text();
        expect({ path, status: reply.status, isTold: said.includes(scratch.path) }).toEqual({
          path,
          status: 503,
          isTold: false,
        });
      }
    });
    scratch.folder.remove();
    scratch = new ScratchRepo();
    repo = scratch.repo;
  });
});
