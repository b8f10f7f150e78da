import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { utf8 } from "../src/bytes.ts";
import { createDelta } from "../src/delta-encode.ts";
import { inlineExecutor } from "../src/executor.ts";
import type { Hash } from "../src/hash.ts";
import { SYNC_IDLE_ROUND_MAX_COUNT } from "../src/limits.ts";
import type { Repo } from "../src/repo.ts";
import { createClusters } from "../src/repo-cluster.ts";
import { createVerifyJobs, verifyRepository } from "../src/repo-verify.ts";
import { type ClientOptions, SyncClient, type SyncGoals } from "../src/sync-client.ts";
import { runSync } from "../src/sync-session.ts";
import type { Transport } from "../src/transport.ts";
import { MemoryTransport } from "../src/transport-memory.ts";
import { ScratchRepo } from "./scratch-repo.ts";
import { hex, store } from "./sync-exchange.ts";
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
  type Watched,
} from "./sync-peer.ts";
import { failure } from "./transport-contract.ts";

const PULL: SyncGoals = { pull: true, push: false };
const PUSH: SyncGoals = { pull: false, push: true };
const SYNC: SyncGoals = { pull: true, push: true };
const ANN = { user: "ann", password: "secret" };

let ours: ScratchRepo;
let theirs: ScratchRepo;

beforeEach(() => {
  theirs = new ScratchRepo();
  ours = new ScratchRepo({ projectCode: theirs.repo.config.projectCode! });
  theirs.repo.users.setCapabilities("ann", "sx");
});
afterEach(() => {
  ours[Symbol.dispose]();
  theirs[Symbol.dispose]();
});

interface Outcome {
  readonly client: SyncClient;
  readonly requests: readonly string[];
}

async function sync(peer: Watched, goals: SyncGoals, options: Partial<ClientOptions> = {}): Promise<Outcome> {
  const { transport, requests } = peer;
  const client = new SyncClient(ours.repo, goals, { peer: PEER, carriesCookie: false, ...options });
  await runSync(client, transport);
  return { client, requests };
}

const withTheirs = (goals: SyncGoals, options: Partial<ClientOptions> = { login: ANN }) =>
  sync(served(theirs.repo), goals, options);

async function problems(scratch = ours): Promise<readonly string[]> {
  const { clock, random, path } = scratch;
  const executor = inlineExecutor(createVerifyJobs({ clock, random }));
  return (await verifyRepository(executor, path)).problems.map(({ message }) => message);
}

const unsent = ({ db }: Repo) => db.prepare("SELECT count(*) FROM unsent").value<number>();

describe("between two repositories", () => {
  test("a pull brings what the peer has", async () => {
    grow(theirs.repo, 1, 10);
    const { client } = await withTheirs(PULL, {});
    expect(holdings(ours.repo)).toEqual(holdings(theirs.repo));
    expect(client.totals.artifactsReceived).toBe(holdings(theirs.repo).length);
    expect(ours.repo.db.prepare("SELECT count(*) FROM event WHERE type='ci'").value()).toBe(10);
    expect(await problems()).toEqual([]);
  });

  test("a push sends what the peer lacks, unasked", async () => {
    grow(ours.repo, 1, 3);
    const { client, requests } = await withTheirs(PUSH);
    expect(holdings(theirs.repo)).toEqual(holdings(ours.repo));
    expect(client.totals.artifactsSent).toBe(holdings(ours.repo).length);
    expect(requests.length).toBe(2);
    expect(unsent(ours.repo)).toBe(0);
  });

  test("a push sends what nobody remembers to be unsent, when asked", async () => {
    grow(ours.repo, 1, 3);
    ours.repo.db.exec("DELETE FROM unsent");
    await withTheirs(PUSH);
    expect(holdings(theirs.repo)).toEqual(holdings(ours.repo));
  });

  test("a sync does both, and the next one has one round and nothing to say", async () => {
    grow(ours.repo, 1, 4);
    grow(theirs.repo, 5, 4);
    await withTheirs(SYNC);
    expect(holdings(ours.repo)).toEqual(holdings(theirs.repo));
    const { client } = await withTheirs(SYNC);
    expect(client.totals).toMatchObject({
      rounds: 1,
      artifactsSent: 0,
      artifactsReceived: 0,
      artifactsKnown: 0,
    });
  });

  test("what is in clusters is found through them", async () => {
    grow(theirs.repo, 1, 60);
    createClusters(theirs.repo);
    const { client } = await withTheirs(PULL, {});
    expect(holdings(ours.repo)).toEqual(holdings(theirs.repo));
    expect(client.totals.rounds).toBeLessThan(8);
    const quiet = await withTheirs(PULL, {});
    expect(quiet.client.totals).toMatchObject({ rounds: 1, artifactsReceived: 0 });
  });

  test("versions travel as deltas both ways", async () => {
    grow(theirs.repo, 1, 4);
    await withTheirs(PULL, {});
    const edit = longText("edited", 4000);
    store(theirs.repo, longText("base", 4000));
    await withTheirs(PULL, {});
    const { commit } = await import("../src/repo-checkin.ts");
    const big = (mark: string) => ({ name: "big.txt", content: utf8(longText(mark, 4000)) });
    commit(theirs.repo, { edits: [big("one")], comment: "big", user: "ann" });
    await withTheirs(PULL, {});
    commit(theirs.repo, { edits: [big("two")], comment: "big", user: "ann" });
    const { client } = await withTheirs(PULL, {});
    expect(client.totals.messageBytesReceived).toBeLessThan(edit.length / 10);
    commit(ours.repo, { edits: [big("three")], comment: "big", user: "ann" });
    const pushed = await withTheirs(PUSH);
    expect(pushed.client.totals.messageBytesSent).toBeLessThan(edit.length / 10);
    expect(holdings(ours.repo)).toEqual(holdings(theirs.repo));
  });

  test("private artifacts travel when asked for, and by who may", async () => {
    grow(theirs.repo, 1, 2);
    await withTheirs(PULL, {});
    grow(theirs.repo, 3, 2, true);
    grow(ours.repo, 5, 2, true);
    const open = (repo: Repo) => holdings(repo).filter((line) => !line.endsWith("private"));
    await withTheirs(SYNC);
    expect(open(ours.repo)).toEqual(open(theirs.repo));
    expect(holdings(ours.repo)).not.toEqual(holdings(theirs.repo));
    await withTheirs({ ...SYNC, private: true });
    expect(holdings(ours.repo)).toEqual(holdings(theirs.repo));
    const refused = await failure(withTheirs({ ...SYNC, private: true }, {}));
    expect(refused.message).toBe(`${PEER} says: not authorized to sync private content`);
  });

  test("verily finds what clusters hide", async () => {
    grow(theirs.repo, 1, 3);
    await withTheirs(PULL, {});
    const hash = store(theirs.repo, "lost from sight");
    theirs.repo.db.exec("DELETE FROM unclustered");
    await withTheirs(PULL, {});
    expect(holdings(ours.repo)).not.toContain(hash);
    await withTheirs({ ...PULL, verily: true }, {});
    expect(holdings(ours.repo)).toContain(hash);
  });

  test("a push that may not be becomes a pull, or fails", async () => {
    grow(theirs.repo, 1, 2);
    const { client } = await withTheirs(SYNC, {});
    expect(client.messages).toEqual(["pull only - not authorized to push"]);
    expect(holdings(ours.repo)).toEqual(holdings(theirs.repo));
    grow(ours.repo, 3, 2);
    const error = await failure(withTheirs(PUSH, {}));
    expect([error.code, error.message]).toEqual(["peer-error", `${PEER} says: not authorized to write`]);
    expect(unsent(ours.repo)).toBeGreaterThan(0);
    await withTheirs(SYNC);
    expect(holdings(theirs.repo)).toEqual(holdings(ours.repo));
  });

  test.each([
    ["a wrong password", { login: { user: "ann", password: "wrong" } }, "login failed"],
    ["an unknown user", { login: { user: "zoe", password: "secret" } }, "login failed"],
  ])("%s is told", async (_, options, text) => {
    const error = await failure(withTheirs(PULL, options));
    expect([error.code, error.message]).toEqual(["peer-error", `${PEER} says: ${text}`]);
  });

  test("another project is told", async () => {
    ours.repo.config.set("project-code", hex("0"));
    expect((await failure(withTheirs(PULL, {}))).message).toBe(`${PEER} says: wrong project`);
  });

  test("a clock that goes wrong is noticed", async () => {
    theirs.clock.time += 3_600_000;
    expect((await withTheirs(PULL, {})).client.skewMs).toBe(3_600_000);
  });

  test("breaking off anywhere leaves a repository that syncs on", async () => {
    grow(theirs.repo, 1, 40);
    grow(ours.repo, 41, 20);
    theirs.repo.config.set("max-download", "5000");
    ours.repo.config.set("max-upload", "5000");
    let rounds = 0;
    for (let broken = 1; rounds === 0; broken++) {
      const { transport, requests } = served(theirs.repo);
      const wire = new MemoryTransport(PEER, async (message) => {
        const reply = await transport.exchange(message);
        // The request has been carried out; its reply is lost.
        if (requests.length === broken) throw new Error("the wire broke");
        return reply.message;
      });
      const outcome = await sync({ transport: wire, requests }, SYNC, { login: ANN }).catch(() => undefined);
      if (outcome !== undefined) rounds = outcome.client.totals.rounds;
      expect(await problems()).toEqual([]);
      expect(await problems(theirs)).toEqual([]);
    }
    expect(holdings(ours.repo)).toEqual(holdings(theirs.repo));
  });
});

describe("wrong content", () => {
  test("is named and left out; the rest of the round is kept", async () => {
    const [good, bad] = [longText("good"), longText("bad")];
    const wrong = sha3("something else");
    const script: Script = (_, round) =>
      round === 1 ? [`igot ${wrong}\nigot ${sha3(good)}\n`] : [file(wrong, bad), file(sha3(good), good)];
    const { client } = await sync(scripted(script), PULL);
    expect(client.refused.map(({ hash, error }) => [hash, error.code])).toEqual([[wrong, "hash-mismatch"]]);
    expect(holdings(ours.repo)).toEqual([sha3(good)]);
    expect(await problems()).toEqual([]);
  });

  test.each([
    ["a delta that applies to nothing", (base: Hash) => file(sha3("x"), "3\nabc;", base)],
    ["a delta that gives something else", (base: Hash) => file(sha3("x"), "3\n3:abc3;", base)],
    [
      "a cfile that cannot be inflated",
      () => cards({ type: "cfile", hash: sha3("x"), size: 9, storedSize: 9, content: utf8("nonsense!") }),
    ],
    ["a cfile of something else", () => cfile(sha3("x"), "y")],
  ])("%s is left out", async (_, bad) => {
    const base = store(ours.repo, longText("base"));
    const good = file(sha3("good"), "good");
    const script: Script = (_request, round) => (round === 1 ? [bad(base), good] : []);
    const { client } = await sync(scripted(script), PULL);
    expect(client.refused.map(({ hash }) => hash)).toEqual([sha3("x")]);
    expect(holdings(ours.repo)).toContain(sha3("good"));
    expect(await problems()).toEqual([]);
  });

  test("a delta that comes before its source waits for it, even into the next sync", async () => {
    const texts = [0, 1, 2].map((i) => longText(`version ${i}`));
    const delta = (i: number) =>
      file(sha3(texts[i]!), createDelta(utf8(texts[i + 1]!), utf8(texts[i]!)), sha3(texts[i + 1]!));
    await sync(
      scripted((_, round) => (round === 1 ? [delta(0), delta(1)] : [])),
      PULL,
    );
    expect(phantoms(ours.repo)).toEqual([sha3(texts[2]!)]);
    expect(await problems()).toEqual([]);
    const { requests } = await sync(
      scripted((_, round) => (round === 1 ? [file(sha3(texts[2]!), texts[2]!)] : [])),
      PULL,
    );
    expect(requests[0]).toContain(`gimme ${sha3(texts[2]!)}\n`);
    expect(holdings(ours.repo)).toEqual(texts.map((text) => sha3(text)).sort());
    expect(await problems()).toEqual([]);
  });

  test("a waiting delta that proves wrong when its source comes is refused then", async () => {
    const [base, wrong] = [longText("base"), sha3("something else")];
    const delta = createDelta(utf8(base), utf8(longText("next")));
    await sync(
      scripted((_, round) => (round === 1 ? [file(wrong, delta, sha3(base))] : [])),
      PULL,
    );
    const { client } = await sync(
      scripted((_, round) => (round === 1 ? [file(sha3(base), base)] : [])),
      PULL,
    );
    expect(client.refused.map(({ hash }) => hash)).toEqual([wrong]);
    expect(holdings(ours.repo)).toEqual([sha3(base)]);
    expect(await problems()).toEqual([]);
  });

  test("shunned and unasked private artifacts are not taken", async () => {
    const shunned = sha3("shunned");
    ours.repo.db.prepare("INSERT INTO shun(uuid,mtime) VALUES(?,0)").run(shunned);
    const delta = file(sha3("b"), "2\n1@0,1:b1;", shunned);
    const script: Script = (_, round) =>
      round === 1
        ? [`igot ${shunned}\n`, file(shunned, "shunned"), delta, "private\n", file(sha3("p"), "p")]
        : [];
    const { requests } = await sync(scripted(script), PULL);
    expect(requests.join("")).not.toContain("gimme");
    expect(holdings(ours.repo)).toEqual([]);
    expect(await problems()).toEqual([]);
  });
});

describe("a login that may pull and not push", () => {
  test("pulls although the push is refused, and says so at the end", async () => {
    theirs.repo.users.add("rita", { capabilities: "o", password: "r" });
    grow(theirs.repo, 0, 3);
    grow(ours.repo, 10, 1);
    const before = holdings(theirs.repo);
    const error = await failure(sync(served(theirs.repo), SYNC, { login: { user: "rita", password: "r" } }));
    expect([error.code, error.message]).toEqual(["peer-error", `${PEER} says: not authorized to write`]);
    expect(holdings(theirs.repo)).toEqual(before);
    expect(holdings(ours.repo)).toEqual(expect.arrayContaining(before));
    expect(await problems()).toEqual([]);
  });
});

describe("deltas that wait for ever", () => {
  test("are offered to nobody, and are in no cluster", async () => {
    const source = sha3("nowhere");
    const delta = file(sha3("b"), "2\n1@0,1:b1;", source);
    const peer = scripted(() => [delta]);
    await sync(peer, PULL);
    expect(ours.repo.content.isAvailable(ours.repo.content.ridOf(sha3("b"))!)).toBe(false);
    const [waiting] = ours.repo.db.prepare("SELECT uuid FROM blob WHERE size>=0").values<[Hash]>().flat();
    expect(waiting).toBe(sha3("b"));
    for (let i = 0; i < 100; i++) store(ours.repo, `file ${i}\n`);
    createClusters(ours.repo);
    const { requests } = await sync(served(theirs.repo), SYNC, { login: ANN });
    expect(requests.join("")).not.toContain(waiting!);
  });
});

describe("what one side shuns and the other has as the source of deltas", () => {
  /** Two versions of a file at `from`; `to` shuns the first. */
  function prepare(from: Repo, to: Repo): void {
    grow(from, 0, 4);
    const [first] = from.db
      .prepare(
        `SELECT b.uuid FROM mlink m JOIN blob b ON b.rid=m.pid WHERE m.pid>0
         AND m.fnid=(SELECT fnid FROM filename WHERE name='file0.txt') LIMIT 1`,
      )
      .values<[Hash]>()
      .flat();
    to.db.prepare("INSERT INTO shun(uuid,mtime) VALUES(?,0)").run(first!);
  }
  const lacking = (from: Repo, to: Repo) => holdings(from).filter((hash) => !holdings(to).includes(hash));

  test("a pull gets the later version whole", async () => {
    prepare(theirs.repo, ours.repo);
    const { client, requests } = await sync(served(theirs.repo), PULL);
    expect(requests.join("")).toContain("pragma edgesync-whole ");
    expect(client.refused).toEqual([]);
    expect(lacking(theirs.repo, ours.repo).length).toBe(1);
  });

  test("a push gives the later version whole, and the rest at once", async () => {
    prepare(ours.repo, theirs.repo);
    await sync(served(theirs.repo), PUSH, { login: ANN });
    expect(lacking(ours.repo, theirs.repo).length).toBe(1);
  });

  test("a peer that knows no such request costs one more round", async () => {
    const shunned = sha3("shunned");
    ours.repo.db.prepare("INSERT INTO shun(uuid,mtime) VALUES(?,0)").run(shunned);
    const delta = file(sha3("b"), "2\n1@0,1:b1;", shunned);
    const { client, requests } = await sync(
      scripted(() => [delta]),
      PULL,
    );
    expect(requests.length).toBe(2);
    expect(client.refused.map(({ error }) => error.code)).toEqual([
      "delta-shunned-source",
      "delta-shunned-source",
    ]);
  });
});

describe("a peer that never ends", () => {
  const never = async (script: Script, goals: SyncGoals = PULL) => {
    const { transport, requests } = scripted(script);
    const error = await failure(sync({ transport, requests }, goals));
    return { code: error.code, message: error.message, rounds: requests.length };
  };

  test("offers the same artifacts and never sends them", async () => {
    const { code, message, rounds } = await never(() => [`igot ${hex("1")}\nigot ${hex("2")}\n`]);
    expect([code, rounds]).toEqual(["peer-unresolved", SYNC_IDLE_ROUND_MAX_COUNT]);
    expect(message).toBe(`${PEER} offers 2 artifacts that it does not send, such as ${hex("1")}`);
    expect(phantoms(ours.repo)).toEqual([]);
  });

  test("offers ever new ones and sends none", async () => {
    const { code, rounds } = await never((_, round) => [`igot ${String(round).padStart(40, "0")}\n`]);
    expect([code, rounds]).toEqual(["peer-unresolved", SYNC_IDLE_ROUND_MAX_COUNT]);
  });

  test("names phantoms that nobody has", async () => {
    const base = hex("1");
    const script: Script = (_, round) => (round === 1 ? [file(sha3("x"), "2\n1@0,1:x1;", base)] : []);
    const { requests } = await sync(scripted(script), PULL);
    expect(requests.length).toBeLessThanOrEqual(SYNC_IDLE_ROUND_MAX_COUNT + 1);
  });

  test("makes up artifacts for ever", async () => {
    const { transport } = scripted((_, round) => [
      file(sha3(`${round}`), `${round}`),
      `igot ${String(round).padStart(40, "0")}\n`,
    ]);
    const options = { peer: PEER, carriesCookie: false, roundMaxCount: 20 };
    const client = new SyncClient(ours.repo, PULL, options);
    const error = await failure(runSync(client, transport));
    expect([error.code, client.totals.rounds]).toEqual(["peer-never-ends", 20]);
    expect(await problems()).toEqual([]);
  });

  test("asks for the same artifact again and again", async () => {
    const hash = store(ours.repo, longText("asked for"));
    const { requests } = await sync(
      scripted(() => [`gimme ${hash}\n`]),
      PUSH,
    );
    expect(requests.filter((request) => request.includes(`file ${hash}`)).length).toBe(2);
  });

  test("sends again what it has sent", async () => {
    const content = longText("again");
    const { requests, client } = await sync(
      scripted(() => [file(sha3(content), content)]),
      PULL,
    );
    expect(requests.length).toBeLessThanOrEqual(2);
    expect(client.totals.artifactsReceived).toBe(1);
  });
});

describe("a peer that is no Fossil server", () => {
  test.each([
    ["a page of HTML", "<html>\n", "peer-unknown-card"],
    ["an unheard-of card", "frobnicate\n", "peer-unknown-card"],
    ["a card that cannot be read", "file 123 x\n", "peer-unknown-card"],
    ["a card cut short", `file ${hex("1")} 100\nabc`, "peer-damaged"],
    ["an error", "error no\\sway\n", "peer-error"],
  ])("answers with %s: the round is not kept", async (_, reply, code) => {
    const before = holdings(ours.repo);
    const error = await failure(
      sync(
        scripted(() => [reply]),
        SYNC,
      ),
    );
    expect([error.code, holdings(ours.repo)]).toEqual([code, before]);
    expect(error.message).toContain(PEER);
  });

  test("what came before an error counts, what follows does not", async () => {
    const reply = [file(sha3("1"), "1"), "error stop\n", file(sha3("2"), "2")];
    expect(
      (
        await failure(
          sync(
            scripted(() => reply),
            PULL,
          ),
        )
      ).code,
    ).toBe("peer-error");
    expect(holdings(ours.repo)).toEqual([sha3("1")]);
  });

  test("comments, blank lines and unknown pragmas are passed over", async () => {
    const { client } = await sync(
      scripted(() => ["# hello\n", "\n", "pragma frobnicate yes\n", "message so\\sbe\\sit\n"]),
      SYNC,
    );
    expect(client.messages).toEqual(["so be it"]);
  });
});

describe("logins", () => {
  const versions =
    (line: string): Script =>
    (_, round) =>
      round === 1
        ? [`pragma server-version ${line}\n`, file(sha3("1"), "1"), file(sha3("2"), "2\n1@0,1:21;", hex("3"))]
        : [];

  /** A wire that has room for a cookie. */
  const withCookies = ({ transport }: Watched) => {
    const cookies: (string | undefined)[] = [];
    const wire: Transport = {
      peer: PEER,
      carriesCookie: true,
      exchange: (message, options) => {
        cookies.push(options?.cookie);
        return transport.exchange(message, options);
      },
      close: () => transport.close(),
    };
    return { wire, cookies };
  };

  test.each([
    ["22700 20250727 110500", true],
    ["22700 20250727 110459", false],
    ["22100 20230226 192424", false],
  ])("a server of version %s reads the cookie: %p", async (line, reads) => {
    const peer = scripted(versions(line));
    const { wire, cookies } = withCookies(peer);
    await sync({ transport: wire, requests: peer.requests }, PULL, { login: ANN, carriesCookie: true });
    expect(peer.requests[0]).toStartWith("login ann ");
    expect(cookies[0]).toBeUndefined();
    expect(peer.requests[1]!.startsWith("login ann ")).toBe(!reads);
    expect(cookies[1] === undefined).toBe(!reads);
    if (reads) expect(cookies[1]).toMatch(/^x-f-l-c=login\+ann\+[0-9a-f]{40}\+[0-9a-f]{40}$/);
  });

  test("nobody and anonymous do not log in", async () => {
    const { requests } = await sync(
      scripted(() => []),
      PULL,
      { login: { user: "anonymous", password: "x" } },
    );
    expect(requests[0]).toStartWith("pragma client-version");
  });

  test("a server's cookie is sent back, in the next sync too", async () => {
    await sync(
      scripted(() => ["cookie abc123\n"]),
      PULL,
    );
    const { requests } = await sync(
      scripted(() => []),
      PULL,
    );
    expect(requests[0]).toContain("cookie abc123\n");
  });
});
