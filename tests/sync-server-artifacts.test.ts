import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { text, utf8 } from "../src/bytes.ts";
import { createDelta } from "../src/delta-encode.ts";
import { FormatError, HashMismatchError, LimitError } from "../src/errors.ts";
import { type Hash, hashContent } from "../src/hash.ts";
import type { Repo } from "../src/repo.ts";
import { packBlob } from "../src/zlib.ts";
import { ScratchRepo } from "./scratch-repo.ts";
import {
  ask,
  exchange,
  hex,
  type Login,
  pullLine,
  pushLine,
  ridOf,
  store,
  VERSION_LINE,
} from "./sync-exchange.ts";

const PUSHER: Login = { user: "bob", password: "pw" };
const PRIVATE: Login = { user: "eve", password: "pw" };
const SERVER_LINE = "pragma server-version 22900 20260821 165942\n";
const END = "# errors 0\n";
const FAILED = "# errors 1\n";
const MISSING = hex("a", 64);

let scratch: ScratchRepo;
let repo: Repo;

beforeEach(() => {
  scratch?.[Symbol.dispose]();
  scratch = new ScratchRepo();
  repo = scratch.repo;
  repo.users.add("bob", { password: "pw", capabilities: "i" });
  repo.users.add("eve", { password: "pw", capabilities: "ix" });
});
afterAll(() => scratch[Symbol.dispose]());

const blobs = () => repo.db.prepare("SELECT uuid, size FROM blob ORDER BY uuid").values<[string, number]>();
const isPrivate = (hash: Hash) => repo.content.isPrivate(ridOf(repo, hash));
const sha3 = (content: string) => hashContent(utf8(content), "sha3-256");
const file = (content: string) => `file ${sha3(content)} ${utf8(content).length}\n${content}`;

describe("pull", () => {
  test("another project, or no right to read", () => {
    expect(ask(repo, [`pull x ${hex("0")}\n`])).toBe(`error wrong\\sproject\n${FAILED}`);
    expect(ask(repo, [`push x ${hex("0")}\n`])).toBe(`error wrong\\sproject\n${FAILED}`);
    for (const user of ["nobody", "anonymous"]) repo.users.setCapabilities(user, "");
    expect(ask(repo, [VERSION_LINE, pullLine(repo)])).toBe(`error not\\sauthorized\\sto\\sread\n${FAILED}`);
    // Who may clone may read.
    repo.users.setCapabilities("nobody", "g");
    expect(ask(repo, [pullLine(repo)])).toBe(END);
  });

  test("offers what is in no cluster, without phantoms, private and shunned artifacts", () => {
    const [a, b, c] = [store(repo, "a"), store(repo, "b", true), store(repo, "c")];
    repo.content.ridOrPhantom(MISSING, false);
    repo.db.prepare("INSERT INTO shun(uuid) VALUES(?)").run(c);
    expect(ask(repo, [pullLine(repo)])).toBe(`igot ${a}\n${END}`);
    expect(ask(repo, [pullLine(repo), "pragma send-private\n"], PRIVATE)).toBe(
      `igot ${a}\nigot ${b} 1\n${END}`,
    );
    // What the peer has shown to have is not offered again.
    expect(ask(repo, [pullLine(repo), pushLine(repo), `igot ${a}\n`], PUSHER)).toBe(
      `gimme ${MISSING}\n${END}`,
    );
  });

  test("send-catalog offers everything", () => {
    const hashes = ["a", "b", "c"].map((content) => store(repo, content));
    repo.db.exec("DELETE FROM unclustered");
    expect(ask(repo, [pullLine(repo)])).toBe(END);
    expect(ask(repo, ["pragma send-catalog\n", pullLine(repo)])).toBe(
      `${hashes
        .toReversed()
        .map((hash) => `igot ${hash}\n`)
        .join("")}${END}`,
    );
  });

  test("a hundred unclustered artifacts become a cluster", () => {
    for (let i = 0; i < 99; i++) store(repo, `artifact ${i}`);
    expect(ask(repo, [pullLine(repo)]).match(/^igot/gm)).toHaveLength(99);
    store(repo, "one more");
    const [line, ...rest] = ask(repo, [pullLine(repo)])
      .trimEnd()
      .split("\n");
    expect(rest).toEqual(["# errors 0"]);
    const cluster = repo.content.getByHash(line!.slice(5) as Hash)!;
    expect(text(cluster).match(/^M /gm)).toHaveLength(100);
  });

  test("req-clusters names the clusters that are in a cluster themselves", () => {
    for (let i = 0; i < 100; i++) store(repo, `artifact ${i}`);
    const first = ask(repo, [pullLine(repo)]).slice(5, 69) as Hash;
    expect(ask(repo, ["pragma req-clusters\n"])).toBe(END);
    for (let i = 0; i < 99; i++) store(repo, `more ${i}`);
    const second = ask(repo, [pullLine(repo)]).slice(5, 69);
    expect(ask(repo, [pullLine(repo), "pragma req-clusters\n"])).toBe(
      `# sending-clusters\nigot ${first}\n# end-of-clusters\nigot ${second}\n${END}`,
    );
  });
});

describe("gimme", () => {
  test("counts only after pull", () => {
    const hash = store(repo, "hello");
    expect(ask(repo, [VERSION_LINE, `gimme ${hash}\n`])).toBe(SERVER_LINE + END);
    expect(ask(repo, [VERSION_LINE, pullLine(repo), `gimme ${hash}\n`])).toBe(
      `${SERVER_LINE}file ${hash} 5\nhello${END}`,
    );
    // Asked for twice, sent once; what is not here is passed over.
    expect(
      ask(repo, [VERSION_LINE, pullLine(repo), `gimme ${hash}\ngimme ${hash}\ngimme ${MISSING}\n`]),
    ).toBe(`${SERVER_LINE}file ${hash} 5\nhello${END}`);
  });

  test("sends a delta of the parent's version where that saves enough", () => {
    const old = `${"line\n".repeat(200)}old`;
    const [parent, child, small] = [store(repo, old), store(repo, `${old} new`), store(repo, "tiny new")];
    const link = repo.db.prepare("INSERT INTO plink(pid,cid,isprim) VALUES(?,?,1)");
    link.run(ridOf(repo, parent), ridOf(repo, child));
    link.run(ridOf(repo, parent), ridOf(repo, small));
    const reply = exchange(repo, [VERSION_LINE, pullLine(repo), `gimme ${child}\ngimme ${small}\n`]);
    const [line] = /^file .*$/m.exec(text(reply.message))!;
    const delta = createDelta(utf8(old), utf8(`${old} new`));
    expect(line).toBe(`file ${child} ${parent} ${delta.length}`);
    expect(text(reply.message)).toContain(`file ${small} 8\ntiny new`);
    expect(reply.facts.artifactsSent).toBe(2);
    // Never a public artifact as a delta of a private one.
    repo.content.makePrivate(ridOf(repo, parent));
    expect(
      ask(repo, [VERSION_LINE, pullLine(repo), `pragma send-private\ngimme ${child}\n`], PRIVATE),
    ).toContain(`file ${child} ${old.length + 4}\n`);
  });

  test("tells newer clients of private artifacts, and sends them to who may have them", () => {
    const hash = store(repo, "secret", true);
    expect(ask(repo, [pullLine(repo), `gimme ${hash}\n`])).toBe(END);
    expect(ask(repo, [VERSION_LINE, pullLine(repo), `gimme ${hash}\n`])).toBe(
      `${SERVER_LINE}igot ${hash} 1\n${END}`,
    );
    expect(
      ask(repo, [VERSION_LINE, "pragma send-private\n", pullLine(repo), `gimme ${hash}\n`], PRIVATE),
    ).toBe(`${SERVER_LINE}private\nfile ${hash} 6\nsecretigot ${hash} 1\n${END}`);
    expect(ask(repo, ["pragma send-private\n"], PUSHER)).toBe(
      `error not\\sauthorized\\sto\\ssync\\sprivate\\scontent\n${END}`,
    );
  });

  test("over budget, announces instead; checked before each card", () => {
    const [a, b] = [store(repo, "x".repeat(60)), store(repo, "y")];
    const gimmes = [VERSION_LINE, pullLine(repo), `gimme ${a}\ngimme ${b}\n`];
    const first = SERVER_LINE.length + `file ${a} 60\n`.length + 60;
    repo.config.set("max-download", String(first + 1));
    expect(ask(repo, gimmes)).toContain(`file ${b} 1\ny`);
    repo.config.set("max-download", String(first));
    expect(ask(repo, gimmes)).toContain(`igot ${b}\n`);
    expect(ask(repo, gimmes)).not.toContain(`file ${b}`);
    expect(ask(repo, gimmes)).toContain(`file ${a}`);
  });

  test("says to old clients that they are too old for SHA3", () => {
    const hash = store(repo, "hello");
    expect(ask(repo, [pullLine(repo), `gimme ${hash}\n`])).toBe(
      `error Fossil\\sversion\\s2.0\\sor\\slater\\srequired.\nigot ${hash}\n${END}`,
    );
  });
});

describe("push", () => {
  test("is refused to who may not, and pull goes on", () => {
    expect(ask(repo, [pullLine(repo), pushLine(repo)])).toBe(
      `message pull\\sonly\\s-\\snot\\sauthorized\\sto\\spush\n${END}`,
    );
    expect(ask(repo, [pullLine(repo), pushLine(repo), file("x")])).toBe(
      `error not\\sauthorized\\sto\\swrite\n${FAILED}`,
    );
    expect(ask(repo, [file("x")], PUSHER)).toBe(`error not\\sauthorized\\sto\\swrite\n${FAILED}`);
    expect(ask(repo, ["file zz\n"])).toBe(`error not\\sauthorized\\sto\\swrite\n${FAILED}`);
    expect(blobs()).toEqual([]);
  });

  test("stores what it brings, with where it came from", () => {
    const reply = exchange(repo, [pushLine(repo), file("hello"), file("")], PUSHER);
    expect(reply.facts).toMatchObject({ artifactsReceived: 2, operation: "push", user: "bob" });
    expect(text(repo.content.getByHash(sha3("hello"))!)).toBe("hello");
    const rows = repo.db.prepare("SELECT login, rcvfrom.ipaddr FROM rcvfrom JOIN user USING(uid)").values();
    expect(rows).toEqual([["bob", "127.0.0.1"]]);
    // Again: known already, and no new row.
    ask(repo, [pushLine(repo), file("hello")], PUSHER);
    expect(repo.db.prepare("SELECT count(*) FROM rcvfrom").value()).toBe(1);
  });

  test("takes deltas, also of what comes later", () => {
    const [old, next] = ["the old text of some length", "the new text of some length"];
    const delta = createDelta(utf8(old), utf8(next));
    const card = [`file ${sha3(next)} ${sha3(old)} ${delta.length}\n`, delta];
    expect(ask(repo, [pushLine(repo), ...card], PUSHER)).toBe(`gimme ${sha3(old)}\n${END}`);
    expect(repo.content.getByHash(sha3(next))).toBeUndefined();
    expect(ask(repo, [pushLine(repo), file(old)], PUSHER)).toBe(END);
    expect(text(repo.content.getByHash(sha3(next))!)).toBe(next);
  });

  test("takes compressed files too, verified", () => {
    const stored = packBlob(utf8("hello"));
    const card = (hash: Hash) => [`cfile ${hash} 5 ${stored.length}\n`, stored, "\n"];
    expect(ask(repo, [pushLine(repo), ...card(sha3("hello"))], PUSHER)).toBe(END);
    expect(text(repo.content.getByHash(sha3("hello"))!)).toBe("hello");
    expect(() => ask(repo, [pushLine(repo), ...card(MISSING)], PUSHER)).toThrow(HashMismatchError);
    expect(() => ask(repo, [pushLine(repo), `cfile ${MISSING} 5 6\n123456`], PUSHER)).toThrow(FormatError);
  });

  test("asks for what the peer has and we lack, at most 500", () => {
    const igots = Array.from({ length: 600 }, (_, i) => `igot ${i.toString(16).padStart(64, "0")}\n`);
    const reply = ask(repo, [pushLine(repo), ...igots], PUSHER);
    expect(reply.match(/^gimme/gm)).toHaveLength(500);
    expect(blobs()).toHaveLength(600);
    // Not what the peer itself asks for.
    const [first] = igots;
    expect(ask(repo, [pushLine(repo), first!.replace("igot", "gimme")], PUSHER)).not.toContain(
      first!.slice(5),
    );
  });

  test("makes an artifact public that the peer holds for public", () => {
    const hash = store(repo, "secret", true);
    ask(repo, [pushLine(repo), `igot ${hash}\n`], PUSHER);
    expect(isPrivate(hash)).toBe(false);
  });

  test("never makes a public artifact private", () => {
    const hash = store(repo, "open");
    for (const login of [PUSHER, PRIVATE]) {
      ask(repo, [pushLine(repo), `igot ${hash} 1\n`], login);
      expect(isPrivate(hash)).toBe(false);
    }
    // A phantom is no longer asked for.
    repo.content.ridOrPhantom(MISSING, false);
    expect(ask(repo, [pushLine(repo), `igot ${MISSING} 1\n`], PUSHER)).toBe(END);
    expect(isPrivate(MISSING)).toBe(true);
  });

  test("private artifacts need x", () => {
    const card = ["private\n", file("secret")];
    const refused = "error not\\sauthorized\\sto\\ssync\\sprivate\\scontent\n";
    expect(ask(repo, [pushLine(repo), ...card, file("open")], PUSHER)).toBe(refused + END);
    expect(blobs().map(([hash]) => hash)).toEqual([sha3("open")]);
    expect(ask(repo, [pushLine(repo), `igot ${MISSING} 1\n`], PUSHER)).toBe(END);
    expect(ask(repo, [pushLine(repo), ...card], PRIVATE)).toBe(END);
    expect(isPrivate(sha3("secret"))).toBe(true);
    // A private phantom is asked for in a private sync only.
    expect(ask(repo, [pushLine(repo), `igot ${MISSING} 1\n`], PRIVATE)).toBe(END);
    expect(ask(repo, ["pragma send-private\n", pushLine(repo), `igot ${MISSING} 1\n`], PRIVATE)).toBe(
      `gimme ${MISSING}\n${END}`,
    );
  });

  test("leaves out what is shunned, or refused by the hash policy", () => {
    repo.db.prepare("INSERT INTO shun(uuid) VALUES(?)").run(sha3("bad"));
    repo.config.set("hash-policy", "4");
    const sha1 = hashContent(utf8("old"), "sha1");
    const reply = ask(
      repo,
      [pushLine(repo), file("bad"), `file ${sha1} 3\nold`, `igot ${sha3("bad")}\nigot ${hex("b")}\n`],
      PUSHER,
    );
    expect(reply).toBe(END);
    expect(blobs()).toEqual([]);
  });
});

describe("a request counts whole or not at all", () => {
  const refusals: [string, () => string, new (...args: never[]) => Error][] = [
    ["a wrong hash", () => `file ${MISSING} 3\nabc`, HashMismatchError],
    ["a message cut short", () => `file ${MISSING} 30\nabc`, FormatError],
    ["a delta that is none", () => `file ${MISSING} ${sha3("good")} 3\nabc`, FormatError],
    ["a payload past every limit", () => `file ${MISSING} 1000000001\nabc`, LimitError],
    ["a line past every limit", () => `${"x".repeat(70_000)}\n`, LimitError],
    ["no page of a clone", () => "clone 3 0\n", Object as never],
  ];
  test.each(refusals)("%s", (_, damage, expected) => {
    const parts = [pushLine(repo), file("good"), `igot ${hex("b", 64)}\n`, damage()];
    if (expected === (Object as never)) {
      expect(ask(repo, parts, PUSHER)).toBe("error invalid\\sclone\\ssequence\\snumber\n");
    } else {
      expect(() => ask(repo, parts, PUSHER)).toThrow(expected as never);
    }
    expect(blobs()).toEqual([]);
    expect(repo.db.prepare("SELECT count(*) FROM rcvfrom").value()).toBe(0);
    expect(repo.content.getByHash(sha3("good"))).toBeUndefined();
    // The repository is as usable as before.
    expect(ask(repo, [pushLine(repo), file("good")], PUSHER)).toBe(END);
  });

  test("a malformed card ends the message with stock's words, what came before it is kept", () => {
    expect(ask(repo, [pushLine(repo), file("good"), "file x\n", file("more")], PUSHER)).toBe(
      `error malformed+file+line\n${FAILED}`,
    );
    expect(blobs()).toHaveLength(1);
  });
});
