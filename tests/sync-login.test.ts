import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { utf8 } from "../src/bytes.ts";
import { sha1Hex, sha3Hex } from "../src/hash.ts";
import { LOGIN_COOKIE_MAX_BYTES } from "../src/limits.ts";
import { loginSignature, sharedSecret } from "../src/repo-user.ts";
import { loginCookie, loginFromCookie, signLogin, verifyLogin } from "../src/sync-login.ts";
import { understandsCookieLogin } from "../src/sync-version.ts";
import { CONTENT_TYPES, decodeMessage } from "../src/xfer-message.ts";
import { ScratchRepo } from "./scratch-repo.ts";

const GOLDEN = join(import.meta.dir, "golden", "xfer");
const MESSAGE = utf8("pragma client-version 22900 20260821 165942\n# 123\n");

test("the cookie that stock sends", () => {
  const header = readFileSync(join(GOLDEN, "uvsync-2-request.cookie"), "utf8");
  const body = new Uint8Array(readFileSync(join(GOLDEN, "uvsync-2-request.compressed")));
  const { message } = decodeMessage(body, CONTENT_TYPES.compressed);
  const login = loginFromCookie(header)!;
  expect(login).toMatchObject({ user: "dev", nonce: sha1Hex(message) });
  expect(loginCookie(login)).toBe(header);
});

test("a cookie goes there and back", () => {
  for (const user of ["dev", "sp ace", "é+%;=&", "tab\tand\\slash"]) {
    const login = signLogin(user, "secret", MESSAGE);
    const cookie = loginCookie(login);
    expect(cookie).toMatch(/^x-f-l-c=[!-~]+$/);
    expect(cookie).not.toContain(";");
    expect(loginFromCookie(`a=b; ${cookie}; c=d`)).toEqual(login);
  }
});

test.each([
  undefined,
  "",
  "x-f-l-c",
  "x-f-l-c=",
  "x-f-l-c=login+a+b",
  "x-f-l-c=pull+a+b+c",
  "x-f-l-c=%E0%A4",
  "other=login+a+b+c",
])("no login in %j", (header) => {
  expect(loginFromCookie(header)).toBeUndefined();
});

test("the longest header, and one byte more", () => {
  const header = (length: number) => "x-f-l-c=login+a+b+".padEnd(length, "c");
  expect(loginFromCookie(header(LOGIN_COOKIE_MAX_BYTES))).toBeDefined();
  expect(loginFromCookie(header(LOGIN_COOKIE_MAX_BYTES + 1))).toBeUndefined();
});

test("a signature by a real secret, and what breaks it", () => {
  using scratch = new ScratchRepo({ user: "ann", password: "secret" });
  const { repo } = scratch;
  const secret = sharedSecret(repo.config.projectCode!, "ann", "secret");
  const login = signLogin("ann", secret, MESSAGE);
  expect(verifyLogin(repo, login, MESSAGE)).toMatchObject({ kind: "user", user: { login: "ann" } });
  expect(verifyLogin(repo, login, utf8("else")).kind).toBe("failed");
  expect(verifyLogin(repo, { ...login, signature: sha1Hex("x") }, MESSAGE).kind).toBe("failed");
  expect(verifyLogin(repo, { ...login, user: "bob" }, MESSAGE).kind).toBe("failed");
  // A nonce may be of either algorithm.
  const nonce = sha3Hex(MESSAGE);
  expect(verifyLogin(repo, { ...login, nonce, signature: loginSignature(nonce, secret) }, MESSAGE).kind).toBe(
    "user",
  );
  for (const user of ["nobody", "anonymous"]) {
    expect(verifyLogin(repo, { ...login, user, signature: "" }, MESSAGE).kind).toBe("open");
    expect(verifyLogin(repo, { ...login, user, nonce: "0" }, MESSAGE).kind).toBe("failed");
  }
  // What stands for a group is nobody who could log in, password or not.
  repo.users.setPassword("developer", "pw");
  const group = sharedSecret(repo.config.projectCode!, "developer", "pw");
  expect(verifyLogin(repo, signLogin("developer", group, MESSAGE), MESSAGE).kind).toBe("failed");
  // No password, no login.
  repo.users.setPassword("ann", "");
  expect(verifyLogin(repo, signLogin("ann", "", MESSAGE), MESSAGE).kind).toBe("failed");
});

test("who reads the cookie", () => {
  const version = (version: number, date: number, time: number) =>
    understandsCookieLogin({ version, date, time });
  expect(version(22700, 20250727, 110500)).toBe(true);
  expect(version(22700, 20250727, 110459)).toBe(false);
  expect(version(22699, 20260101, 0)).toBe(false);
  expect(version(22700, 20250728, 0)).toBe(true);
  expect(version(22900, 20260821, 165942)).toBe(true);
});
