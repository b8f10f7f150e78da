import { describe, expect, test } from "bun:test";
import { INVITE_TOKEN_MAX_LENGTH } from "../src/limits.ts";
import { formatInvite, type Invitation, invite, parseInvite } from "../src/repo-invite.ts";
import { loginSignature, sharedSecret } from "../src/repo-user.ts";
import { cli } from "./cli-process.ts";
import { ScratchRepo } from "./scratch-repo.ts";
import { ServeHarness } from "./serve-harness.ts";
import { TempDir } from "./temp-dir.ts";

const INVITATION: Invitation = {
  login: "ann b",
  password: "secret",
  projectCode: "0".repeat(40),
  url: "http://x/",
  expires: 1_000_000,
};

describe("tokens", () => {
  test("are read as they were written", () => {
    expect(parseInvite(formatInvite(INVITATION))).toEqual(INVITATION);
    const { url: _, expires: __, ...least } = INVITATION;
    expect(parseInvite(formatInvite(least))).toEqual(least);
  });

  test.each([
    "",
    "edgesync1.",
    "edgesync2.e30",
    "edgesync1.e30",
    "edgesync1.!",
    `edgesync1.${btoa('{"login":1}')}`,
  ])("%j is none", (token) => {
    expect(() => parseInvite(token)).toThrow(expect.objectContaining({ code: "bad-invite" }));
  });

  test("the longest token, and one letter more", () => {
    const whole = (length: number) => formatInvite({ ...INVITATION, url: "u".repeat(length) });
    let length = INVITE_TOKEN_MAX_LENGTH;
    while (whole(length).length > INVITE_TOKEN_MAX_LENGTH) length--;
    expect(parseInvite(whole(length)).url).toHaveLength(length);
    expect(() => parseInvite(whole(length + 1))).toThrow(expect.objectContaining({ code: "bad-invite" }));
  });
});

test("a password counts until its time, and longer once it was changed", () => {
  using scratch = new ScratchRepo();
  const { repo, clock } = scratch;
  const made = invite(repo, { login: "eve", capabilities: "go", ttlMs: 60_000 });
  const works = (password: string) => {
    const secret = sharedSecret(made.projectCode, "eve", password);
    const isRight = repo.users.checkSignature("eve", "n", loginSignature("n", secret));
    expect(repo.users.checkPassword("eve", password)).toBe(isRight);
    return isRight;
  };
  clock.time += 59_999;
  expect(works(made.password)).toBe(true);
  clock.time += 1;
  expect(works(made.password)).toBe(false);
  repo.users.setPassword("eve", "own");
  expect(works("own")).toBe(true);
  expect(() => invite(repo, { login: "eve" })).toThrow(expect.objectContaining({ code: "user-exists" }));
  expect(works("own")).toBe(true);
});

test("an invitation clones, and no longer when its time is over", async () => {
  using folder = new TempDir("invite");
  const path = folder.join("r.fossil");
  const at = ["-R", path];
  await cli(["repo", "new", path]);
  for (const login of ["nobody", "anonymous"])
    await cli(["repo", "user", "update", login, "--cap", "", ...at]);
  await using server = new ServeHarness(path);
  const words = [
    "repo",
    "invite",
    "ann",
    "--cap",
    "gio",
    "--ttl",
    "1h",
    "--url",
    server.url,
    "--json",
    ...at,
  ];
  const { token } = JSON.parse((await cli(words)).stdout);
  const clone = folder.join("clone.fossil");
  expect(await cli(["repo", "clone", "--invite", token, clone])).toMatchObject({ code: 0 });
  expect(await cli(["sync", "sync", "-R", clone])).toMatchObject({ code: 0 });
  expect(
    await cli(["repo", "clone", server.url, folder.join("other.fossil"), "--invite", token]),
  ).toMatchObject({
    code: 0,
  });
  expect(await cli(["repo", "clone", server.url, folder.join("none.fossil")])).toMatchObject({ code: 1 });
  server.writer.db.exec("UPDATE fx_invite SET expires=1");
  expect(await cli(["repo", "clone", "--invite", token, folder.join("late.fossil")])).toMatchObject({
    code: 1,
  });
  expect(await cli(["sync", "sync", "-R", clone])).toMatchObject({ code: 1 });
  const plain = JSON.parse((await cli(["repo", "invite", "bob", "--json", ...at])).stdout);
  for (const bad of [
    [folder.join("x.fossil")],
    ["--invite", "nonsense", folder.join("x.fossil")],
    ["--invite", plain.token, folder.join("x.fossil")],
  ]) {
    expect(await cli(["repo", "clone", ...bad])).toMatchObject({ code: 2, stdout: "" });
  }
});
