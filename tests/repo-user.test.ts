import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { EdgeSyncError } from "../src/errors.ts";
import { seededRandom } from "../src/random.ts";
import { CAPABILITIES, Capabilities, type Capability } from "../src/repo-capability.ts";
import { loginSignature, randomPassword, sharedSecret } from "../src/repo-user.ts";
import { ScratchRepo } from "./scratch-repo.ts";

function codeOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    if (error instanceof EdgeSyncError) return error.code;
    throw error;
  }
  return "no error";
}

describe("users", () => {
  test("of a new repository: what stock gives and nothing more", () => {
    using scratch = new ScratchRepo();
    const { users } = scratch.repo;
    expect(users.list().map(({ login, capabilities }) => [login, capabilities])).toEqual([
      ["ann", "s"],
      ["anonymous", "hz"],
      ["developer", "ei"],
      ["nobody", "gjorz"],
      ["reader", "kptw"],
    ]);
    const [anonymous] = scratch.repo.db
      .prepare("SELECT pw FROM user WHERE login='anonymous'")
      .values<[string]>();
    expect(anonymous![0]).toMatch(/^[0-9A-F]{16}$/);
  });

  test("added, changed, removed; every change is dated", () => {
    using scratch = new ScratchRepo();
    const { users, config } = scratch.repo;
    config.set("default-perms", "u");
    scratch.clock.time = 1_000_000;
    expect(users.add("bob")).toEqual({ uid: 6, login: "bob", capabilities: "u", info: "", mtime: 1000 });
    users.add("sp ace", { capabilities: "oi", info: "x@y", password: "p" });
    scratch.clock.time = 2_000_000;
    users.setInfo("bob", "b@example.org");
    users.setCapabilities("bob", "s");
    expect(users.require("bob")).toMatchObject({ info: "b@example.org", capabilities: "s", mtime: 2000 });
    users.remove("sp ace");
    users.remove("ann");
    expect(users.get("ann")).toBeUndefined();
  });

  test("what cannot be", () => {
    using scratch = new ScratchRepo();
    const { users } = scratch.repo;
    expect([
      codeOf(() => users.add("ann")),
      codeOf(() => users.add("")),
      codeOf(() => users.require("carl")),
      codeOf(() => users.setPassword("carl", "x")),
      codeOf(() => users.setCapabilities("carl", "x")),
      codeOf(() => users.setInfo("carl", "x")),
      codeOf(() => users.remove("carl")),
      codeOf(() => users.remove("nobody")),
      codeOf(() => users.remove("ann")),
    ]).toEqual([
      "user-exists",
      "user-login",
      "no-such-user",
      "no-such-user",
      "no-such-user",
      "no-such-user",
      "no-such-user",
      "user-special",
      "user-last-setup",
    ]);
  });
});

describe("passwords", () => {
  test("are stored as a secret that depends on project and login", () => {
    using scratch = new ScratchRepo({ projectCode: "c".repeat(40) });
    const { users, db } = scratch.repo;
    const [stored] = db.prepare("SELECT pw FROM user WHERE login='ann'").values<[string]>();
    // printf '%s' "cccc…cccc/ann/secret" | sha1sum
    expect(stored![0]).toBe(
      new Bun.CryptoHasher("sha1").update(`${"c".repeat(40)}/ann/secret`).digest("hex"),
    );
    expect([users.checkPassword("ann", "secret"), users.checkPassword("ann", "Secret")]).toEqual([
      true,
      false,
    ]);
  });

  test("a signature is made with the secret; a row in cleartext takes either form", () => {
    using scratch = new ScratchRepo();
    const { users, config, db } = scratch.repo;
    const secret = sharedSecret(config.projectCode!, "ann", "secret");
    const check = (key: string) => users.checkSignature("ann", "nonce", loginSignature("nonce", key));
    expect([check(secret), check("secret"), check("")]).toEqual([true, false, false]);
    db.prepare("UPDATE user SET pw='secret' WHERE login='ann'").run();
    expect([check(secret), check("secret"), check("other")]).toEqual([true, true, false]);
    expect(users.checkPassword("ann", "secret")).toBe(true);
    expect(users.checkSignature("ann", "another nonce", loginSignature("nonce", secret))).toBe(false);
  });

  test("an empty one matches nothing", () => {
    using scratch = new ScratchRepo();
    const { users, db } = scratch.repo;
    users.setPassword("ann", "");
    for (const pw of ["", null]) {
      db.prepare("UPDATE user SET pw=? WHERE login='ann'").run(pw);
      expect(users.checkPassword("ann", "")).toBe(false);
      expect(users.checkSignature("ann", "n", loginSignature("n", ""))).toBe(false);
    }
    expect(users.checkPassword("nobody at all", "")).toBe(false);
  });

  test("nobody syncs as a special user, whatever its password", () => {
    using scratch = new ScratchRepo();
    const { users, config } = scratch.repo;
    for (const login of ["nobody", "anonymous", "developer", "reader"]) {
      users.setPassword(login, "pw");
      const secret = sharedSecret(config.projectCode!, login, "pw");
      expect(users.checkSignature(login, "n", loginSignature("n", secret))).toBe(false);
    }
  });

  test("random ones are readable and differ", () => {
    const random = seededRandom(1n);
    const made = Array.from({ length: 50 }, () => randomPassword(random));
    expect(new Set(made).size).toBe(50);
    for (const password of made) expect(password).toMatch(/^[2-9a-km-zA-HJ-NP-Z]{10}$/);
  });
});

describe("capabilities", () => {
  const of = (scratch: ScratchRepo, login: string | undefined) =>
    Capabilities.of(scratch.repo.users, login).toString();

  test("nobody's go to everybody, anonymous's to whoever logged in", () => {
    using scratch = new ScratchRepo();
    const { users } = scratch.repo;
    users.setCapabilities("nobody", "g");
    users.setCapabilities("anonymous", "h");
    users.add("bob", { capabilities: "z" });
    expect([of(scratch, undefined), of(scratch, "nobody"), of(scratch, "ghost")]).toEqual(["g", "g", "g"]);
    expect([of(scratch, "anonymous"), of(scratch, "bob")]).toEqual(["gh", "ghz"]);
  });

  test("u and v stand for reader and developer, also within each other and in circles", () => {
    using scratch = new ScratchRepo();
    const { users } = scratch.repo;
    users.setCapabilities("nobody", "");
    users.setCapabilities("anonymous", "");
    users.setCapabilities("reader", "rv");
    users.setCapabilities("developer", "zu");
    users.add("bob", { capabilities: "u" });
    expect(of(scratch, "bob")).toBe("ruvz");
  });

  test.each([
    ["i", "io"],
    ["k", "jkm"],
    ["w", "cnrw"],
    ["6", "23456"],
    ["3", "23"],
    ["a", "abcefghijklmnopqrtwz234567ABCD"],
    ["s", "abcefghijklmnopqrstwz234567ABCD"],
    ["xy", "xy"],
    ["dE!ö 8", ""],
  ])("%s grants %s", (letters, granted) => {
    expect(Capabilities.from(letters).toString()).toBe(granted);
  });

  test("property: order and repetition do not matter, more letters never grant less", () => {
    const letters = fc.array(fc.constantFrom(...Object.keys(CAPABILITIES), "u", "v", "d", "?"), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(letters, letters, (some, more) => {
        const both = Capabilities.from([...more, ...some, ...some].join(""));
        expect(Capabilities.from([...some, ...more].join("")).toString()).toBe(both.toString());
        for (const letter of Capabilities.from(some.join("")).toString()) {
          if (letter in CAPABILITIES) expect(both.has(letter as Capability)).toBe(true);
        }
      }),
      { seed: 3, numRuns: 200 },
    );
  });
});
