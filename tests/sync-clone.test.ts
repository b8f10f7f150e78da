import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { utf8 } from "../src/bytes.ts";
import { createDelta } from "../src/delta-encode.ts";
import { inlineExecutor } from "../src/executor.ts";
import { CLONE_IDLE_ROUND_MAX_COUNT } from "../src/limits.ts";
import { seededRandom } from "../src/random.ts";
import { Repo } from "../src/repo.ts";
import { createVerifyJobs, verifyRepository } from "../src/repo-verify.ts";
import {
  type CloneOptions,
  type CloneProgress,
  cloneRepository,
  cloneThreads,
  closeCloneThreads,
  inlineCloneThreads,
} from "../src/sync-clone.ts";
import { CLONE_START, CloneClient } from "../src/sync-clone-client.ts";
import type { Transport } from "../src/transport.ts";
import { MemoryTransport } from "../src/transport-memory.ts";
import { ScratchRepo, StandingClock } from "./scratch-repo.ts";
import { hex } from "./sync-exchange.ts";
import {
  cards,
  cfile,
  file,
  grow,
  holdings,
  longText,
  PEER,
  phantoms,
  type Script,
  scripted,
  served,
  sha3,
} from "./sync-peer.ts";
import { TempDir } from "./temp-dir.ts";
import { failure } from "./transport-contract.ts";

const PROJECT = hex("a");
const PUSH = `push x ${PROJECT}\n`;
const VERSION = "pragma server-version 22100 20230226 192424\n";

let source: ScratchRepo;
let folder: TempDir;
let target: string;
const clock = new StandingClock();
const random = seededRandom(7n);

beforeEach(() => {
  source = new ScratchRepo();
  folder = new TempDir("clone");
  target = folder.join("clone.fossil");
});
afterEach(() => {
  source[Symbol.dispose]();
  folder.remove();
});

const clone = (transport: Transport, options: Partial<CloneOptions> = {}) =>
  cloneRepository(
    transport,
    { target, source: "http://peer/", user: "ann", version: "test", random, ...options },
    inlineCloneThreads({ clock, random }),
  );

/** Opens what was cloned, or what there is of it. */
function opened<T>(use: (repo: Repo) => T, path = target): T {
  const repo = Repo.open(path, { mode: "read", clock, random, anyDerivedSchema: true });
  try {
    return use(repo);
  } finally {
    repo.close();
  }
}

async function problems(path = target): Promise<readonly string[]> {
  const executor = inlineExecutor(createVerifyJobs({ clock, random }));
  return (await verifyRepository(executor, path)).problems.map(({ message }) => message);
}

/** A server whose clone has one page, then configuration. */
const onePage =
  (...page: readonly (string | Uint8Array)[]): Script =>
  (_, round) =>
    round === 1 ? [VERSION, ...page, "clone_seqno 0\n", PUSH] : [VERSION];

describe("a clone", () => {
  test("holds what the peer has, and looks as a repository should", async () => {
    grow(source.repo, 1, 12);
    const { transport, requests } = served(source.repo);
    const summary = await clone(transport);
    expect(opened(holdings)).toEqual(holdings(source.repo));
    expect(await problems()).toEqual([]);
    expect(summary).toMatchObject({ rounds: 2, refused: [], isResumed: false, phantomCount: 0, user: "ann" });
    expect(summary.artifactCount).toBe(holdings(source.repo).length);
    expect(requests[0]).toMatch(/^pragma client-version 22900 \d+ \d+\nclone 3 1\n# [0-9a-f]{40}\n$/);
    expect(requests[1]).toMatch(/^pragma client-version 22900 \d+ \d+\nreqconfig \/all\n# [0-9a-f]{40}\n$/);
    expect(readdirSync(folder.path)).toEqual(["clone.fossil"]);
    opened((repo) => {
      expect(repo.config.projectCode).toBe(source.repo.config.projectCode!);
      expect(repo.config.get("server-code")).toBe(summary.serverCode);
      expect(summary.serverCode).not.toBe(source.repo.config.get("server-code")!);
      expect(repo.config.get("last-sync-url")).toBe("http://peer/");
      expect(repo.users.checkPassword("ann", summary.password!)).toBe(true);
      expect(repo.db.prepare("SELECT count(*) FROM event WHERE type='ci'").value()).toBe(12);
      expect(repo.db.prepare("SELECT 1 FROM sqlite_schema WHERE name LIKE 'fx%'").value()).toBeUndefined();
    });
  });

  test("keeps blobs and deltas as the peer stores them, in its order", async () => {
    grow(source.repo, 1, 12);
    await clone(served(source.repo).transport);
    const rows = ({ db }: Repo) =>
      db
        .prepare(
          `SELECT b.uuid, b.size, hex(b.content), s.uuid FROM blob b LEFT JOIN delta d USING(rid)
             LEFT JOIN blob s ON s.rid=d.srcid ORDER BY b.uuid`,
        )
        .values();
    expect(opened(rows)).toEqual(rows(source.repo));
  });

  test("takes many pages, each while the one before is stored", async () => {
    source.repo.config.set("max-download", "1000");
    grow(source.repo, 1, 20);
    const seen: CloneProgress[] = [];
    const { transport, requests } = served(source.repo);
    await clone(transport, { onProgress: (progress) => seen.push(progress) });
    expect(requests.length).toBeGreaterThan(10);
    expect(opened(holdings)).toEqual(holdings(source.repo));
    const stored = seen.map(({ artifactsStored }) => artifactsStored);
    expect(stored).toEqual([...stored].sort((a, b) => a - b));
    expect(seen.at(-1)!.artifactsStored).toBe(holdings(source.repo).length);
  });

  test("works in threads, and so does one after it", async () => {
    grow(source.repo, 1, 10);
    source.repo.config.set("max-download", "5000");
    const threads = cloneThreads(2);
    for (const name of ["one.fossil", "two.fossil"]) {
      const options = {
        target: folder.join(name),
        source: "http://peer/",
        user: "ann",
        version: "test",
        random,
      };
      await cloneRepository(served(source.repo).transport, options, threads);
      expect(opened(holdings, folder.join(name))).toEqual(holdings(source.repo));
    }
    await closeCloneThreads(threads);
  });

  test("without verification trusts the peer", async () => {
    const wrong = sha3("something else");
    const script = onePage(cfile(sha3("right\n"), "right\n"), cfile(wrong, "wrong\n"));
    const summary = await clone(scripted(script).transport, { verify: false });
    expect([summary.refused, summary.artifactCount]).toEqual([[], 2]);
  });

  test("remembers a password only when told to, as stock can read it", async () => {
    const login = { user: "ann", password: "se cret" };
    source.repo.users.setPassword("ann", "se cret");
    await clone(served(source.repo).transport, { login, keepsPassword: true });
    const stored = opened((repo) => repo.config.get("last-sync-pw"))!;
    const [salt, ...bytes] = Buffer.from(stored, "hex");
    const key = Buffer.from("a72131e32a502c864ca45225ff493585", "hex");
    expect(String.fromCharCode(...bytes.map((byte, i) => byte ^ key[i % 16]! ^ salt!))).toBe("se cret");
    target = folder.join("other.fossil");
    await clone(served(source.repo).transport, { login });
    expect(opened((repo) => repo.config.get("last-sync-pw"))).toBeUndefined();
  });
});

describe("rights", () => {
  const login = { user: "eve", password: "pw" };

  beforeEach(() => {
    grow(source.repo, 1, 3);
    grow(source.repo, 4, 3, true);
    source.repo.users.add("eve", { password: "pw", capabilities: "gx" });
  });

  test("the first request has no login, the next ones do", async () => {
    const { transport, requests } = served(source.repo);
    await clone(transport, { login });
    expect(requests.map((request) => request.startsWith("login eve "))).toEqual([false, true]);
  });

  test("a server that lets nobody clone is asked again with a login", async () => {
    source.repo.users.setCapabilities("nobody", "");
    const { transport, requests } = served(source.repo);
    await clone(transport, { login });
    expect(requests[1]).toMatch(/^login eve .*\n.*\nclone 3 1\nreqconfig \/all\n/);
    expect(opened(holdings)).toEqual(holdings(source.repo).filter((line) => !line.endsWith("private")));
  });

  test("without a login, or with a wrong one, it says why and leaves nothing", async () => {
    source.repo.users.setCapabilities("nobody", "");
    const refused = await failure(clone(served(source.repo).transport));
    expect([refused.code, refused.message]).toEqual(["peer-error", `${PEER} says: not authorized to clone`]);
    const wrong = { ...login, password: "other" };
    const failed = await failure(clone(served(source.repo).transport, { login: wrong }));
    expect(failed.message).toBe(`${PEER} says: login failed`);
    expect(readdirSync(folder.path)).toEqual([]);
  });

  test("private artifacts come when asked for, those of the first page too", async () => {
    await clone(served(source.repo).transport, { login, private: true });
    expect(opened(holdings)).toEqual(holdings(source.repo));
    expect(await problems()).toEqual([]);
  });

  test("private artifacts do not come to whoever may not have them", async () => {
    const error = await failure(clone(served(source.repo).transport, { private: true }));
    expect(error.message).toBe(`${PEER} says: not authorized to sync private content`);
    source.repo.users.setCapabilities("eve", "g");
    const again = await failure(clone(served(source.repo).transport, { private: true, login }));
    expect(again.message).toBe(error.message);
    expect(readdirSync(folder.path)).toEqual([]);
  });

  test("private artifacts that nobody asked for are not taken", async () => {
    const script = onePage(cfile(sha3("open\n"), "open\n"), "private\n", cfile(sha3("secret\n"), "secret\n"));
    const { artifactCount } = await clone(scripted(script).transport);
    expect([artifactCount, opened(holdings)]).toEqual([1, [sha3("open\n")]]);
  });
});

describe("wrong content", () => {
  const right = longText("right");
  const wrong = sha3(longText("expected"));

  test("is named and left out; the rest is kept", async () => {
    const summary = await clone(scripted(onePage(cfile(wrong, right), cfile(sha3(right), right))).transport);
    expect(summary.refused.map(({ hash, error }) => [hash, error.code])).toEqual([[wrong, "hash-mismatch"]]);
    expect(opened(holdings)).toEqual([sha3(right)]);
    expect(opened(phantoms)).toEqual([wrong]);
    expect(summary).toMatchObject({ artifactCount: 1, phantomCount: 1 });
    expect(await problems()).toEqual([]);
  });

  test("takes what depends on it along, and nothing else", async () => {
    const [one, two, other] = [longText("one"), longText("two"), longText("other")];
    const delta = (from: string, to: string) => createDelta(utf8(from), utf8(to));
    const summary = await clone(
      scripted(
        onePage(
          cfile(wrong, right),
          cfile(sha3(one), delta(right, one), { source: wrong, size: one.length }),
          cfile(sha3(two), delta(one, two), { source: sha3(one), size: two.length }),
          cfile(sha3(other), other),
        ),
      ).transport,
    );
    expect(summary.refused.map(({ hash }) => hash)).toEqual([wrong]);
    expect(opened(holdings)).toEqual([sha3(other)]);
    expect(opened(phantoms)).toEqual([wrong, sha3(one), sha3(two)].sort());
    expect(await problems()).toEqual([]);
  });

  test.each([
    ["a blob that cannot be inflated", Buffer.from("\0\0\0\x09not zlib at all", "latin1")],
    ["a blob that inflates to more than it says", Buffer.from("\0\0\0\x01")],
  ])("%s is refused", async (_, content) => {
    const bad = cards({ type: "cfile", hash: wrong, size: 9, storedSize: content.length, content });
    const summary = await clone(scripted(onePage(bad, cfile(sha3(right), right))).transport);
    expect(summary.refused.map(({ hash }) => hash)).toEqual([wrong]);
    expect(opened(holdings)).toEqual([sha3(right)]);
  });

  test("a delta that applies to nothing, or declares a wrong size, is told apart from right content", async () => {
    const source = longText("source");
    const page = [
      cfile(sha3(source), source),
      cfile(wrong, "3\nabc;", { source: sha3(source), size: 3 }),
      // The size is only what the peer says of it.
      cfile(sha3(right), createDelta(utf8(source), utf8(right)), { source: sha3(source), size: 5 }),
    ];
    const summary = await clone(scripted(onePage(...page)).transport);
    expect(summary.refused.map(({ hash }) => hash)).toEqual([wrong]);
    expect(opened(holdings)).toEqual([sha3(right), sha3(source)].sort());
    expect(await problems()).toEqual([]);
  });

  test("deltas of one another are refused", async () => {
    const [one, two] = [sha3("one"), sha3("two")];
    const summary = await clone(
      scripted(
        onePage(
          cfile(one, "3\n3:one0;", { source: two, size: 3 }),
          cfile(two, "3\n3:two0;", { source: one, size: 3 }),
        ),
      ).transport,
    );
    expect(summary.refused.map(({ error }) => error.code)).toEqual(["delta-cycle"]);
    expect(opened(phantoms)).toEqual([one, two].sort());
    expect(await problems()).toEqual([]);
  });

  test("a delta whose source never comes becomes a phantom, its source too", async () => {
    const [base, next] = [longText("base"), longText("next")];
    const delta = createDelta(utf8(base), utf8(next));
    const page = [
      cfile(sha3(next), delta, { source: sha3(base), size: next.length }),
      cfile(sha3(right), right),
    ];
    const summary = await clone(scripted(onePage(...page)).transport);
    expect(summary).toMatchObject({ artifactCount: 1, phantomCount: 2, refused: [] });
    expect(opened(phantoms)).toEqual([sha3(base), sha3(next)].sort());
    expect(await problems()).toEqual([]);
  });

  test("deltas come before their sources, over page boundaries, in both directions", async () => {
    const texts = Array.from({ length: 9 }, (_, i) => longText(`version ${i}`));
    const deltaOf = (i: number, source: number) =>
      cfile(sha3(texts[i]!), createDelta(utf8(texts[source]!), utf8(texts[i]!)), {
        source: sha3(texts[source]!),
        size: texts[i]!.length,
      });
    const pages = [
      [deltaOf(0, 1), deltaOf(1, 2)],
      [deltaOf(3, 0), deltaOf(2, 4)],
      [cfile(sha3(texts[4]!), texts[4]!), deltaOf(5, 3)],
      [deltaOf(6, 5), deltaOf(8, 7), deltaOf(7, 4)],
    ];
    const script: Script = (_, round) => {
      const page = pages[round - 1] ?? [];
      return [VERSION, ...page, `clone_seqno ${round < pages.length ? round + 1 : 0}\n`, PUSH];
    };
    const summary = await clone(scripted(script).transport);
    expect(summary).toMatchObject({ artifactCount: 9, phantomCount: 0, refused: [] });
    expect(opened(holdings)).toEqual(texts.map(sha3).sort());
    expect(await problems()).toEqual([]);
  });

  test("a public delta of a private source is stored whole", async () => {
    const [base, next] = [longText("base"), longText("next")];
    const delta = cfile(sha3(next), createDelta(utf8(base), utf8(next)), {
      source: sha3(base),
      size: next.length,
    });
    const summary = await clone(scripted(onePage(delta, "private\n", cfile(sha3(base), base))).transport, {
      private: true,
    });
    expect(summary.refused).toEqual([]);
    expect(opened(holdings)).toEqual([`${sha3(base)} private`, sha3(next)].sort());
    expect(await problems()).toEqual([]);
  });

  test("file cards are as good as cfile cards", async () => {
    const [base, next] = [longText("base"), longText("next")];
    const page = [
      file(sha3(next), createDelta(utf8(base), utf8(next)), sha3(base)),
      file(sha3(base), base),
      file(sha3("x"), "y"),
    ];
    const summary = await clone(scripted(onePage(...page)).transport);
    expect(summary.refused.map(({ hash }) => hash)).toEqual([sha3("x")]);
    expect(opened(holdings)).toEqual([sha3(base), sha3(next)].sort());
  });
});

describe("a page that is nearly all one artifact", () => {
  test("gives all that it has", async () => {
    const words = new Uint32Array(4_050_000);
    let state = 1;
    for (let i = 0; i < words.length; i++) words[i] = state = Math.imul(state, 1_664_525) + 1_013_904_223;
    const large = new Uint8Array(words.buffer);
    const page = [cfile(sha3("x\n"), "x\n"), cfile(sha3(large), large), cfile(sha3("y\n"), "y\n")];
    const summary = await clone(scripted(onePage(...page)).transport);
    expect(summary.refused).toEqual([]);
    expect(opened(holdings)).toEqual([sha3("x\n"), sha3(large), sha3("y\n")].sort());
    expect(await problems()).toEqual([]);
  });
});

describe("a peer that never ends", () => {
  const rounds = async (script: Script) => {
    const { transport, requests } = scripted(script);
    return { error: await failure(clone(transport)), requests };
  };

  test("repeats one page", async () => {
    const page = cfile(sha3("x\n"), "x\n");
    const { error, requests } = await rounds(() => [VERSION, page, "clone_seqno 2\n", PUSH]);
    expect([error.code, requests.length]).toEqual(["peer-never-ends", CLONE_IDLE_ROUND_MAX_COUNT + 2]);
    expect(error.message).toContain(PEER);
  });

  test("sends empty pages with ever new numbers", async () => {
    const { error, requests } = await rounds((_, round) => [VERSION, `clone_seqno ${round + 1}\n`, PUSH]);
    expect([error.code, requests.length]).toEqual(["peer-never-ends", CLONE_IDLE_ROUND_MAX_COUNT + 1]);
  });

  test("makes up artifacts for ever", () => {
    const client = new CloneClient(
      { peer: PEER, private: false, carriesCookie: false, random, roundMaxCount: 50 },
      { ...CLONE_START, projectCode: PROJECT },
    );
    const next = () => {
      client.request();
      client.read(utf8(`clone_seqno 9\n${PUSH}`));
      client.noteStored(1);
    };
    for (let round = 0; round < 50; round++) next();
    expect(next).toThrow(`the clone of ${PEER} does not come to an end in 50 rounds`);
  });
});

describe("a peer that is no Fossil server", () => {
  test.each([
    ["a page of HTML", "<html>\n<body>Hello</body>\n", "peer-unknown-card"],
    ["nothing", "", "peer-no-project"],
    ["no page number", VERSION + PUSH, "peer-sequence"],
    ["an unheard-of card", `${PUSH}frobnicate\n`, "peer-unknown-card"],
    ["a card that cannot be read", `${PUSH}cfile ${hex("1")} ten 5\n`, "peer-unknown-card"],
    ["a card cut short", `${PUSH}cfile ${hex("1")} 10 500\nabc`, "peer-damaged"],
    ["a negative page number", `${PUSH}clone_seqno -1\n`, "peer-unknown-card"],
  ])("answers with %s", async (_, reply, code) => {
    const error = await failure(clone(scripted(() => [reply]).transport));
    expect(error.code).toBe(code);
    expect(readdirSync(folder.path)).toEqual([]);
  });

  test("changes its project in the middle", async () => {
    const script: Script = (_, round) => [
      VERSION,
      "clone_seqno 5\n",
      `push x ${hex(round === 1 ? "a" : "b")}\n`,
    ];
    expect((await failure(clone(scripted(script).transport))).code).toBe("peer-other-project");
  });
});

describe("broken off", () => {
  /** A wire that breaks in round `broken`. */
  const breaking = (transport: Transport, broken: number) => {
    let round = 0;
    return new MemoryTransport(transport.peer, async (message) => {
      if (++round === broken) throw new Error("the wire broke");
      return (await transport.exchange(message)).message;
    });
  };

  beforeEach(() => {
    source.repo.config.set("max-download", "1500");
    grow(source.repo, 1, 12);
  });

  test("goes on from the last page, whichever round broke, as if nothing had happened", async () => {
    const whole = served(source.repo);
    await clone(whole.transport);
    const rows = (repo: Repo) =>
      repo.db.prepare("SELECT rid, uuid, size, hex(content) FROM blob ORDER BY rid").values();
    const expected = opened(rows);
    for (let broken = 2; broken <= whole.requests.length; broken++) {
      target = folder.join(`broken-${broken}.fossil`);
      await failure(clone(breaking(served(source.repo).transport, broken)));
      expect(existsSync(target)).toBe(false);
      const { transport, requests } = served(source.repo);
      const summary = await clone(transport);
      expect(summary.isResumed).toBe(true);
      expect(requests.length).toBe(whole.requests.length - broken + 1);
      expect(opened(rows)).toEqual(expected);
      expect(await problems()).toEqual([]);
    }
  });

  test("by an error of the server, keeps what came", async () => {
    const { transport } = served(source.repo, (round) => {
      if (round === 4) source.repo.users.setCapabilities("nobody", "");
    });
    expect((await failure(clone(transport))).code).toBe("peer-error");
    source.repo.users.setCapabilities("nobody", "gjorz");
    expect((await clone(served(source.repo).transport)).isResumed).toBe(true);
    expect(opened(holdings)).toEqual(holdings(source.repo));
  });

  test("is not gone on with from another source, or with other artifacts", async () => {
    await failure(clone(breaking(served(source.repo).transport, 3)));
    const { transport } = served(source.repo);
    const other = await failure(clone(transport, { source: "http://other/" }));
    expect([other.code, other.message]).toEqual([
      "clone-other",
      `${target}.part is an unfinished clone of http://peer/, not one of http://other/`,
    ]);
    expect((await failure(clone(transport, { private: true }))).code).toBe("clone-other");
    await clone(transport);
  });

  test("with all done but the name, is named", async () => {
    await clone(served(source.repo).transport);
    const { renameSync } = await import("node:fs");
    renameSync(target, `${target}.part`);
    const { transport, requests } = served(source.repo);
    await clone(transport);
    expect(requests).toEqual([]);
    expect(opened(holdings)).toEqual(holdings(source.repo));
  });

  test("before anything was made, begins anew", async () => {
    writeFileSync(`${target}.part`, "");
    expect((await clone(served(source.repo).transport)).isResumed).toBe(false);
    expect(readdirSync(folder.path)).toEqual(["clone.fossil"]);
  });

  test("wrong content that came before is found all the same", async () => {
    const wrong = sha3("expected\n");
    const script: Script = (_, round) => [
      VERSION,
      cfile(wrong, "wrong\n"),
      `clone_seqno ${round + 1}\n`,
      PUSH,
    ];
    await failure(clone(breaking(scripted(script).transport, 2)));
    const { refused } = await clone(scripted(onePage(cfile(sha3("x\n"), "x\n"))).transport);
    expect(refused.map(({ hash }) => hash)).toEqual([wrong]);
    expect(await problems()).toEqual([]);
  });
});

describe("the file", () => {
  test("must not exist", async () => {
    writeFileSync(target, "mine");
    expect((await failure(clone(served(source.repo).transport))).code).toBe("repo-exists");
    expect(readdirSync(folder.path)).toEqual(["clone.fossil"]);
  });

  test("that appears meanwhile is not overwritten", async () => {
    const { transport } = served(source.repo, (round) => {
      if (round === 2) writeFileSync(target, "mine");
    });
    expect((await failure(clone(transport))).code).toBe("repo-exists");
    expect(await Bun.file(target).text()).toBe("mine");
  });

  test("is made by one process at a time", async () => {
    let second: unknown;
    const { transport } = served(source.repo, () => {
      second ??= failure(clone(served(source.repo).transport));
    });
    await clone(transport);
    expect(await second).toMatchObject({ code: "clone-running" });
  });

  test("has its name only when it is whole", async () => {
    grow(source.repo, 1, 3);
    const seen: boolean[] = [];
    const { transport } = served(source.repo, () => seen.push(existsSync(target)));
    await clone(transport);
    expect(seen).toEqual([false, false]);
    expect(existsSync(target)).toBe(true);
  });
});
