import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { text, utf8 } from "../src/bytes.ts";
import { SYNC_IDLE_ROUND_MAX_COUNT } from "../src/limits.ts";
import type { Repo } from "../src/repo.ts";
import { Unversioned } from "../src/repo-unversioned.ts";
import { UnversionedClient, type UnversionedGoals } from "../src/sync-client-uv.ts";
import { runSync } from "../src/sync-session.ts";
import { ScratchRepo } from "./scratch-repo.ts";
import { PEER, scripted, served, sha3, type Watched } from "./sync-peer.ts";
import { failure } from "./transport-contract.ts";

const BOTH: UnversionedGoals = { pull: true, push: true };
const PULL: UnversionedGoals = { pull: true, push: false };
const PUSH: UnversionedGoals = { pull: false, push: true };
const ANN = { user: "ann", password: "secret" };

let ours: ScratchRepo;
let theirs: ScratchRepo;

beforeEach(() => {
  theirs = new ScratchRepo();
  ours = new ScratchRepo({ projectCode: theirs.repo.config.projectCode! });
  theirs.repo.users.setCapabilities("ann", "sy");
});
afterEach(() => {
  ours[Symbol.dispose]();
  theirs[Symbol.dispose]();
});

async function sync(peer: Watched, goals = BOTH, login: typeof ANN | null = ANN) {
  const client = new UnversionedClient(ours.repo, goals, {
    peer: PEER,
    carriesCookie: false,
    ...(login !== null && { login }),
  });
  await runSync(client, peer.transport);
  return { client, requests: peer.requests };
}

const put = ({ repo }: ScratchRepo, name: string, content: string, mtime: number) =>
  new Unversioned(repo).add(name, utf8(content), mtime, 0);
const remove = ({ repo }: ScratchRepo, name: string, mtime: number) =>
  new Unversioned(repo).remove(name, mtime);

/** Name, time and content of each; a deleted one has none. */
function holdings(repo: Repo): string[] {
  const files = new Unversioned(repo);
  return files.entries().map(({ name, mtime, hash }) => {
    const content = files.content(name);
    return `${name} ${mtime} ${hash === undefined ? "-" : content && text(content)}`;
  });
}

describe("between two repositories", () => {
  test("the newer version of each file ends up on both", async () => {
    put(ours, "a", "ours", 10);
    put(theirs, "b", "theirs", 11);
    put(ours, "both", "older", 12);
    put(theirs, "both", "newer", 13);
    put(ours, "both2", "newer", 13);
    put(theirs, "both2", "older", 12);
    put(ours, "tie", "x", 14);
    put(theirs, "tie", "y", 14);
    put(ours, "touched", "same", 15);
    put(theirs, "touched", "same", 16);
    put(ours, "touched2", "same", 16);
    put(theirs, "touched2", "same", 15);
    put(ours, "empty", "", 17);
    put(theirs, "empty2", "", 18);
    const { client, requests } = await sync(served(theirs.repo));
    const tie = sha3("x") > sha3("y") ? "x" : "y";
    expect(holdings(ours.repo)).toEqual([
      "a 10 ours",
      "b 11 theirs",
      "both 13 newer",
      "both2 13 newer",
      "empty 17 ",
      "empty2 18 ",
      `tie 14 ${tie}`,
      "touched 16 same",
      "touched2 16 same",
    ]);
    expect(holdings(theirs.repo)).toEqual(holdings(ours.repo));
    expect(requests).toHaveLength(2);
    // Where only the time differs, only the time travels.
    expect(requests[1]).toContain(`uvfile touched2 16 ${sha3("same")} 4 4\n`);
    expect(requests[1]).not.toContain("uvgimme touched");
    expect(client.refused).toEqual([]);
    const { artifactsSent, artifactsReceived } = client.totals;
    expect(artifactsSent + artifactsReceived).toBe(8);
    const again = await sync(served(theirs.repo));
    expect(again.requests).toHaveLength(1);
    expect(again.client.totals).toMatchObject({ rounds: 1, artifactsSent: 0, artifactsReceived: 0 });
  });

  test("deletions travel both ways, and lose against what is newer", async () => {
    for (const name of ["a", "b", "c"]) {
      put(ours, name, "x", 10);
      put(theirs, name, "x", 10);
    }
    remove(ours, "a", 20);
    remove(theirs, "b", 20);
    remove(ours, "c", 20);
    put(theirs, "c", "again", 21);
    put(theirs, "never-here", "x", 1);
    remove(theirs, "never-here", 2);
    await sync(served(theirs.repo));
    expect(holdings(ours.repo)).toEqual(["a 20 -", "b 20 -", "c 21 again"]);
    expect(holdings(theirs.repo).slice(0, 3)).toEqual(holdings(ours.repo));
  });

  test("one way only", async () => {
    put(ours, "a", "ours", 10);
    put(theirs, "b", "theirs", 10);
    const before = holdings(ours.repo);
    await sync(served(theirs.repo), PUSH);
    expect(holdings(ours.repo)).toEqual(before);
    expect(holdings(theirs.repo)).toHaveLength(2);
    put(ours, "c", "ours", 10);
    const { client } = await sync(served(theirs.repo), PULL);
    expect(holdings(ours.repo)).toHaveLength(3);
    expect(holdings(theirs.repo)).toHaveLength(2);
    expect(client.isRefusedByPeer).toBe(false);
  });

  test("from a peer that takes nothing", async () => {
    put(ours, "a", "ours", 10);
    put(theirs, "b", "theirs", 10);
    const { client } = await sync(served(theirs.repo), BOTH, null);
    expect(client.isRefusedByPeer).toBe(true);
    expect(holdings(ours.repo)).toEqual(["a 10 ours", "b 10 theirs"]);
    expect(holdings(theirs.repo)).toEqual(["b 10 theirs"]);
  });

  test("more than a round holds, both ways", async () => {
    ours.repo.config.set("max-upload", "2000");
    theirs.repo.config.set("max-download", "2000");
    for (let i = 0; i < 12; i++) {
      put(ours, `o${i}`, `${i}`.repeat(500), 10);
      put(theirs, `t${i}`, `${i}`.repeat(500), 10);
    }
    const { client } = await sync(served(theirs.repo));
    expect(holdings(ours.repo)).toHaveLength(24);
    expect(holdings(theirs.repo)).toEqual(holdings(ours.repo));
    expect(client.totals.rounds).toBeGreaterThan(3);
  });

  test("is recorded as received from the peer", async () => {
    put(theirs, "b", "theirs", 10);
    await sync(served(theirs.repo));
    const sql = "SELECT ipaddr FROM unversioned JOIN rcvfrom USING(rcvid)";
    expect(ours.repo.db.prepare(sql).values()).toEqual([[PEER]]);
  });
});

describe("a peer that", () => {
  const offer = `pragma uv-pull-only\nuvigot f 20 ${sha3("new")} 3\n`;

  test("offers what it never sends is not asked for ever", async () => {
    put(ours, "f", "old", 10);
    const { client, requests } = await sync(scripted((_, round) => [round === 1 ? offer : "#\n"]));
    expect(requests).toHaveLength(1 + SYNC_IDLE_ROUND_MAX_COUNT);
    expect(client.refused.map(({ name }) => name)).toEqual(["f"]);
    expect(holdings(ours.repo)).toEqual(["f 10 old"]);
  });

  test("sends wrong content leaves ours as it is", async () => {
    put(ours, "f", "old", 10);
    const { client } = await sync(
      scripted((_, round) => [round === 1 ? offer : `uvfile f 20 ${sha3("new")} 3 0\nbad`]),
    );
    expect(client.refused).toMatchObject([{ name: "f", error: { code: "hash-mismatch" } }]);
    expect(holdings(ours.repo)).toEqual(["f 10 old"]);
  });

  test.each([`${sha3("new")} 3 4`, `${sha3("new")} 3 1`, `${sha3("new")} 0 4`])(
    "sends no content (%s) leaves ours as it is",
    async (what) => {
      put(ours, "f", "old", 10);
      const { client } = await sync(scripted((_, round) => [round === 1 ? offer : `uvfile f 20 ${what}\n`]));
      expect(client.refused.map(({ name }) => name)).toEqual(["f"]);
      expect(holdings(ours.repo)).toEqual(["f 10 old"]);
    },
  );

  test("sends what nobody asked for is not listened to", async () => {
    await sync(scripted(() => [offer.slice(0, 20), `uvfile g 20 ${sha3("new")} 3 0\nnew`]));
    expect(holdings(ours.repo)).toEqual([]);
  });

  test("refuses, is heard", async () => {
    const peer = scripted(() => ["message hello\n", "error not\\stoday\n"]);
    expect(await failure(sync(peer))).toMatchObject({ code: "peer-error", data: { text: "not today" } });
  });

  test("says nothing has the same files", async () => {
    put(ours, "f", "x", 10);
    const { requests, client } = await sync(scripted(() => ["# timestamp 2026-01-31T12:00:00 errors 0\n"]));
    expect(requests).toHaveLength(1);
    expect(client.isRefusedByPeer).toBe(false);
  });
});
