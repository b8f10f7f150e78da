import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { text, utf8 } from "../src/bytes.ts";
import { FormatError, HashMismatchError, RepoError } from "../src/errors.ts";
import { hashContent } from "../src/hash.ts";
import { parseDate } from "../src/julian.ts";
import type { Repo } from "../src/repo.ts";
import { errorReply, serveExchange, serveMessage, WriteNeeded } from "../src/sync-server.ts";
import { CONTENT_TYPES, decodeMessage, encodeMessage } from "../src/xfer-message.ts";
import { ScratchRepo } from "./scratch-repo.ts";
import {
  ask,
  exchange,
  hex,
  type Login,
  messageOf,
  pullLine,
  pushLine,
  ridOf,
  store,
  VERSION_LINE,
} from "./sync-exchange.ts";

const SETUP: Login = { user: "ann", password: "secret" };
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

const caller = { address: "127.0.0.1", cookie: undefined };
const sha3 = (content: string) => hashContent(utf8(content), "sha3-256");
const file = (content: string) => `file ${sha3(content)} ${utf8(content).length}\n${content}`;

describe("every reply", () => {
  test("ends with the time and the number of errors", () => {
    scratch.clock.time = parseDate("2026-03-04T05:06:07");
    const { message, facts, isRaw } = serveMessage(repo, utf8("# nothing\n"), caller);
    expect(text(message)).toBe("# timestamp 2026-03-04T05:06:07 errors 0\n");
    expect(facts).toEqual({
      operation: "ping",
      artifactsReceived: 0,
      artifactsSent: 0,
      errors: 0,
      user: undefined,
      nextPage: undefined,
    });
    expect(isRaw).toBe(false);
  });

  test("tells the server's version to who tells the whole of its own", () => {
    expect(ask(repo, [VERSION_LINE])).toBe(SERVER_LINE + END);
    expect(ask(repo, ["pragma client-version 22900\n"])).toBe(END);
    expect(ask(repo, ["pragma client-version 22900 20260821\n"])).toBe(END);
    expect(ask(repo, [""])).toBe(END);
  });

  test("is framed as the request was, clone pages apart", () => {
    for (const framing of ["compressed", "raw", "debug"] as const) {
      for (const line of ["# ping\n", "clone 3 1\n"]) {
        const { body, contentType } = encodeMessage(utf8(line), framing);
        const reply = serveExchange(repo, { ...caller, body, contentType });
        expect(reply.contentType).toBe(CONTENT_TYPES[line === "# ping\n" ? framing : "raw"]);
        expect(text(decodeMessage(reply.body, reply.contentType).message)).toContain("# timestamp");
      }
    }
  });

  test("passes over comments, cookies and unknown pragmas", () => {
    expect(
      ask(repo, ["# x\ncookie abc\npragma frobnicate 1\npragma client-url http://x/\npragma req-links\n"]),
    ).toBe(END);
  });

  test("answers an unknown card with an error, forgets what it said and goes on", () => {
    expect(ask(repo, [VERSION_LINE, "frob a b\n"])).toBe(
      "error bad\\scommand:\\sfrob\\sa\\sb\\n\n# errors 0\n",
    );
    expect(ask(repo, ["frob\n", VERSION_LINE])).toBe(`error bad\\scommand:\\sfrob\\n\n${SERVER_LINE}${END}`);
    expect(ask(repo, ["\n"])).toBe("error bad\\scommand:\\s\\n\n# errors 0\n");
  });
});

describe("logins", () => {
  test("a right one, and the rights it gives", () => {
    expect(ask(repo, [pushLine(repo)])).toBe(`error not\\sauthorized\\sto\\swrite\n${FAILED}`);
    expect(ask(repo, [pushLine(repo)], PUSHER)).toBe(END);
    expect(exchange(repo, [pushLine(repo)], PUSHER).facts).toMatchObject({ user: "bob", operation: "push" });
  });

  test.each([
    ["a wrong password", () => messageOf(repo, ["# x\n"], { ...PUSHER, password: "no" })],
    ["an unknown user", () => messageOf(repo, ["# x\n"], { user: "zoe", password: "pw" })],
    ["a nonce of something else", () => utf8(`${text(messageOf(repo, ["# x\n"], PUSHER))}# more\n`)],
    ["a nonce that is no hash", () => utf8("login anonymous x y\n")],
    ["a group's name", () => messageOf(repo, ["# x\n"], { user: "developer", password: "" })],
  ])("%s", (_, message) => {
    const reply = text(serveMessage(repo, message(), caller).message);
    expect(reply).toMatch(/^error login\\sfailed\n# timestamp \S+ errors 1\n$/);
  });

  test("nobody and anonymous need no password but a right nonce", () => {
    for (const user of ["nobody", "anonymous"]) {
      expect(ask(repo, [pullLine(repo)], { user, password: "whatever" })).toBe(END);
      expect(exchange(repo, [""], { user, password: "x" }).facts.user).toBeUndefined();
    }
  });

  test("a second one is refused", () => {
    const once = messageOf(repo, ["# x\n"], PUSHER);
    const twice = messageOf(repo, [once], PUSHER);
    expect(text(serveMessage(repo, twice, caller).message)).toStartWith("error multiple\\slogin\\scards\n");
  });

  test("by cookie, over the whole message", async () => {
    const { loginCookie, signLogin } = await import("../src/sync-login.ts");
    const { sharedSecret } = await import("../src/repo-user.ts");
    const secret = sharedSecret(repo.config.projectCode!, "bob", "pw");
    const message = utf8(pushLine(repo));
    const cookie = loginCookie(signLogin("bob", secret, message));
    const serve = (bytes: Uint8Array, header: string) =>
      text(serveMessage(repo, bytes, { ...caller, cookie: header }).message);
    expect(serve(message, cookie)).toStartWith("# timestamp");
    expect(serve(message, `theme=dark; ${cookie}; a=b`)).toStartWith("# timestamp");
    expect(serve(utf8(`${pushLine(repo)}# x\n`), cookie)).toStartWith("error login\\sfailed");
    expect(serve(message, "x-f-l-c=nonsense")).toStartWith("error not\\sauthorized");
    // The cookie's login counts as the first.
    expect(
      serve(
        messageOf(repo, [message], PUSHER),
        loginCookie(signLogin("bob", secret, messageOf(repo, [message], PUSHER))),
      ),
    ).toStartWith("error multiple\\slogin\\scards");
  });

  test("a user with the password in the clear", () => {
    repo.db.prepare("UPDATE user SET pw='clear' WHERE login='bob'").run();
    expect(ask(repo, [pushLine(repo)], { user: "bob", password: "clear" })).toBe(END);
  });
});

describe("locks", () => {
  const CHECK_IN = "a check-in";
  const lockLine = (client: string) => `pragma ci-lock ${sha3(CHECK_IN)} ${client}\n`;
  const avoid = "pragma avoid-delta-manifests\n";

  beforeEach(() => {
    const rid = ridOf(repo, store(repo, CHECK_IN));
    repo.db.prepare("INSERT INTO leaf(rid) VALUES(?)").run(rid);
    repo.db.exec("DELETE FROM unclustered");
  });

  test("one holds it, the other is told, until it is given up", () => {
    expect(ask(repo, [lockLine(hex("1"))], PUSHER)).toBe(avoid + END);
    const since = Math.floor(scratch.clock.time / 1000);
    expect(ask(repo, [lockLine(hex("2"))], PRIVATE)).toBe(`pragma ci-lock-fail bob ${since}\n${avoid}${END}`);
    expect(ask(repo, [lockLine(hex("1"))], PUSHER)).toBe(avoid + END);
    expect(ask(repo, [`pragma ci-unlock ${hex("1")}\n`])).toBe(END);
    repo.config.set("forbid-delta-manifests", "0");
    expect(ask(repo, [lockLine(hex("2"))], PRIVATE)).toBe(END);
  });

  test("it ends after a minute, and when the check-in is no leaf any more", () => {
    ask(repo, [lockLine(hex("1"))], PUSHER);
    scratch.clock.time += 59_000;
    expect(ask(repo, [lockLine(hex("2"))], PRIVATE)).toContain("ci-lock-fail");
    scratch.clock.time += 1_000;
    expect(ask(repo, [lockLine(hex("2"))], PRIVATE)).toBe(avoid + END);
    repo.db.exec("DELETE FROM leaf");
    expect(ask(repo, [lockLine(hex("1"))], PUSHER)).toBe(avoid + END);
  });

  test("who may not push is told but locks nothing", () => {
    expect(ask(repo, [lockLine(hex("1"))])).toBe(avoid + END);
    expect(ask(repo, [lockLine(hex("2"))], PUSHER)).toBe(avoid + END);
    expect(ask(repo, [lockLine(hex("3"))])).toContain("pragma ci-lock-fail bob");
  });
});

describe("on a connection for reading", () => {
  let reader: Repo;
  beforeEach(() => {
    store(repo, "here");
    repo.close();
    repo = scratch.reopen({ mode: "read" });
    reader = repo;
  });

  test("what changes nothing is answered", () => {
    const here = sha3("here");
    expect(ask(reader, [VERSION_LINE, pullLine(reader), pushLine(reader), `igot ${here}\n`], PUSHER)).toBe(
      SERVER_LINE + END,
    );
    expect(ask(reader, ["clone 3 1\n"])).toContain("clone_seqno 0");
    expect(ask(reader, [`pragma ci-unlock ${hex("1")}\n`])).toBe(END);
    expect(ask(reader, [pushLine(reader), file("x")])).toContain("not\\sauthorized");
  });

  test.each([
    ["an artifact", () => file("x")],
    ["news of one", () => `igot ${MISSING}\n`],
    ["a lock", () => `pragma ci-lock ${sha3("here")} me\n`],
  ])("%s needs a writer", (_, line) => {
    expect(() => ask(reader, [pushLine(reader), line()], PUSHER)).toThrow(WriteNeeded);
  });

  test("clusters that are due need a writer", () => {
    const writer = scratch.reopen();
    for (let i = 0; i < 100; i++) store(writer, `artifact ${i}`);
    reader = scratch.reopen({ mode: "read" });
    expect(() => ask(reader, [pullLine(reader)])).toThrow(WriteNeeded);
    repo = scratch.reopen();
  });
});

describe("where nobody may write", () => {
  const readOnly = (parts: readonly string[], login?: Login) =>
    text(serveMessage(repo, messageOf(repo, parts, login), caller, { isReadOnly: true }).message);

  test("a pull goes without the clusters that are due, and clones as ever", () => {
    const hashes = Array.from({ length: 100 }, (_, i) => store(repo, `artifact ${i}`));
    repo = scratch.reopen({ mode: "read" });
    const reply = readOnly([VERSION_LINE, pullLine(repo)]);
    for (const hash of hashes) expect(reply).toContain(`igot ${hash}\n`);
    expect(readOnly(["clone 3 1\n"])).toContain("clone_seqno 0");
  });

  test.each([
    ["an artifact", () => file("x")],
    ["a lock", () => `pragma ci-lock ${sha3("here")} me\n`],
  ])("%s is refused in words", (_, line) => {
    store(repo, "here");
    repo = scratch.reopen({ mode: "read" });
    let error: unknown;
    try {
      readOnly([pushLine(repo), line()], PUSHER);
    } catch (caught) {
      error = caught;
    }
    const { body } = errorReply(error, CONTENT_TYPES.debug, scratch.clock);
    expect(text(body)).toStartWith(
      "error the\\srepository\\scannot\\sbe\\swritten\\son\\sthe\\sserver;\\snothing\\swas\\sstored\n",
    );
  });
});

describe("errors as replies", () => {
  const reply = (error: unknown, type = CONTENT_TYPES.debug) => {
    const { status, contentType, body } = errorReply(error, type, scratch.clock);
    return { status, contentType, text: text(body).split("\n")[0] };
  };

  test("stock's words where it has some, and nothing of paths", () => {
    expect(reply(new HashMismatchError("hash-mismatch", "x", { data: { hash: MISSING } }))).toEqual({
      status: 200,
      contentType: CONTENT_TYPES.debug,
      text: `error wrong+hash+on+received+artifact%3A+${MISSING}`,
    });
    expect(reply(new RepoError("repo-locked", "/secret/path is locked")).text).not.toContain("/secret");
    expect(reply(new RepoError("unheard-of", "/secret/path is odd")).text).not.toContain("/secret");
    expect(reply(new RepoError("repo-schema-outdated", "x")).text).toBe(
      "error database\\sschema\\sis\\sout-of-date\\son\\sthe\\sserver.",
    );
    expect(reply(new TypeError("x is undefined"))).toMatchObject({
      status: 500,
      text: "error internal\\serror\\son\\sthe\\sserver",
    });
  });

  test("framed as the request", () => {
    expect(reply(new FormatError("x", "y"), CONTENT_TYPES.compressed).contentType).toBe(
      CONTENT_TYPES.compressed,
    );
    expect(reply(new FormatError("x", "y"), "text/html").status).toBe(415);
  });

  test("setup's login is as good as any", () => {
    expect(ask(repo, [pushLine(repo)], SETUP)).toBe(END);
  });
});
