import { afterEach, beforeEach, expect, test } from "bun:test";
import { ConfigClient, type ConfigGoals } from "../src/sync-client-config.ts";
import { runSync } from "../src/sync-session.ts";
import { ScratchRepo } from "./scratch-repo.ts";
import { PEER, scripted, served, type Watched } from "./sync-peer.ts";
import { failure } from "./transport-contract.ts";

const ANN = { user: "ann", password: "secret" };

let ours: ScratchRepo;
let theirs: ScratchRepo;

beforeEach(() => {
  theirs = new ScratchRepo();
  ours = new ScratchRepo({ projectCode: theirs.repo.config.projectCode! });
  for (const { repo } of [ours, theirs]) repo.db.exec("UPDATE config SET mtime=NULL");
});
afterEach(() => {
  ours[Symbol.dispose]();
  theirs[Symbol.dispose]();
});

async function exchange(peer: Watched, goals: ConfigGoals, login: typeof ANN | null = ANN) {
  const client = new ConfigClient(ours.repo, goals, {
    peer: PEER,
    carriesCookie: false,
    ...(login !== null && { login }),
  });
  await runSync(client, peer.transport);
  return client;
}

const values = ({ repo }: ScratchRepo) =>
  ["css", "header", "footer", "project-name"].map((name) => repo.config.get(name));

beforeEach(() => {
  ours.repo.config.set("css", "ours, newer", 20);
  theirs.repo.config.set("css", "theirs", 10);
  ours.repo.config.set("header", "ours", 10);
  theirs.repo.config.set("header", "theirs, newer", 20);
  theirs.repo.config.set("footer", "theirs", 10);
  theirs.repo.config.set("project-name", "theirs", 10);
});

test("pull", async () => {
  const client = await exchange(served(theirs.repo), { area: "skin", pull: true, push: false });
  expect(values(ours)).toEqual(["ours, newer", "theirs, newer", "theirs", undefined]);
  expect(values(theirs)).toEqual(["theirs", "theirs, newer", "theirs", "theirs"]);
  expect([client.totals.rounds, client.totals.artifactsReceived, client.rowsChanged]).toEqual([1, 3, 2]);
});

test("push", async () => {
  const client = await exchange(served(theirs.repo), { area: "all", pull: false, push: true });
  expect(values(ours)).toEqual(["ours, newer", "ours", undefined, undefined]);
  expect(values(theirs)).toEqual(["ours, newer", "theirs, newer", "theirs", "theirs"]);
  expect([client.totals.rounds, client.rowsChanged]).toEqual([1, 0]);
  expect(client.totals.artifactsSent).toBeGreaterThanOrEqual(2);
});

test("both", async () => {
  await exchange(served(theirs.repo), { area: "skin", pull: true, push: true });
  expect(values(ours)).toEqual(["ours, newer", "theirs, newer", "theirs", undefined]);
  expect(values(theirs)).toEqual(["ours, newer", "theirs, newer", "theirs", "theirs"]);
});

test("a push without the right to is an error that says so", async () => {
  const pushed = exchange(served(theirs.repo), { area: "css", pull: false, push: true }, null);
  expect(await failure(pushed)).toMatchObject({
    code: "peer-error",
    data: { text: "not authorized to push configuration" },
  });
});

test("rows that were not asked for have no effect", async () => {
  const row = (name: string) => {
    const content = `99 '${name}' value 'bad'`;
    return `config /config ${content.length}\n${content}\n`;
  };
  const peer = scripted(() => [row("css"), row("header"), row("project-name"), row("project-code")]);
  const before = values(ours);
  await exchange(peer, { area: "css", pull: false, push: true });
  expect(values(ours)).toEqual(before);
  await exchange(peer, { area: "css", pull: true, push: false });
  expect(values(ours)).toEqual(["bad", ...before.slice(1)]);
});

test("a reply that is damaged changes nothing", async () => {
  const peer = scripted(() => ["config /config 20\n99 'css' value 'bad'\n", "config /config 99\nx"]);
  const damaged = exchange(peer, { area: "css", pull: true, push: false });
  expect((await failure(damaged)).code).toBe("peer-damaged");
  expect(ours.repo.config.get("css")).toBe("ours, newer");
});
