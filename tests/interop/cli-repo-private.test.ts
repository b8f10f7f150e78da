import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { cli } from "../cli-process.ts";
import { TempDir } from "../temp-dir.ts";
import { stocks } from "./stock.ts";

/** Private artifacts, and repositories as folders of artifacts: what we do and what stock does, on copies of one repository. */
const folder = new TempDir("cli-private");
afterAll(() => folder.remove());

async function ok(words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await cli(words);
  if (code !== 0) throw new Error(`edgesync ${words.join(" ")}: ${stderr}`);
  return stdout;
}

const hashesOf = (table: string) => `SELECT uuid FROM ${table} JOIN blob USING(rid) ORDER BY uuid`;
const LOOK = [
  "SELECT uuid, size FROM blob ORDER BY uuid",
  hashesOf("private"),
  hashesOf("unclustered"),
  "SELECT type, mtime, user, comment FROM event ORDER BY mtime, comment",
  "SELECT p.uuid, c.uuid, isprim FROM plink JOIN blob p ON p.rid=pid JOIN blob c ON c.rid=cid ORDER BY 1, 2",
  "SELECT tagname, b.uuid, tagtype, value FROM tagxref JOIN tag USING(tagid) JOIN blob b USING(rid) ORDER BY 1, 2",
  "SELECT count(*) FROM delta d WHERE rid NOT IN private AND srcid IN private",
];

const origin = folder.join("origin.fossil");

beforeAll(async () => {
  const at = ["-R", origin];
  await ok(["repo", "new", origin]);
  const text = Array.from({ length: 300 }, (_, i) => `line ${i}\n`).join("");
  const ci = (message: string, content: string, ...more: string[]) => {
    folder.write("w/a.txt", content);
    return ok(["repo", "ci", ...at, "-C", folder.join("w"), "-m", message, ...more, "."]);
  };
  await ci("public one", text);
  await ci("secret one", text.replace("line 7\n", "seven\n"), "--private", "--branch", "secret");
  await ci("secret two", text.replace("line 8\n", "eight\n"), "--private", "--branch", "secret");
  await ci("public two", text.replace("line 9\n", "nine\n"), "--branch", "trunk");
  await ok(["repo", "tag", "add", "mark", "secret", ...at]);
  await ci("hidden", "hidden\n", "--private", "--branch", "hidden");
});

/** Every file below a folder, with its content. */
function tree(root: string): [string, string][] {
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((name) => statSync(join(root, name)).isFile() && !name.endsWith(".rid1"))
    .sort()
    .map((name) => [name, readFileSync(join(root, name), "latin1")]);
}

describe.each(stocks().map((stock) => [stock.version, stock] as const))("stock %s", (version, stock) => {
  const copies = (name: string) => {
    const [ours, theirs] = ["ours", "theirs"].map((side) => folder.join(`${name}-${side}-${version}.fossil`));
    for (const copy of [ours!, theirs!]) copyFileSync(origin, copy);
    return [ours!, theirs!] as const;
  };
  async function same(ours: string, theirs: string): Promise<void> {
    for (const sql of LOOK) {
      expect(await ok(["repo", "query", sql, "-R", ours])).toBe(
        await ok(["repo", "query", sql, "-R", theirs]),
      );
    }
    expect(stock.okSync(["test-integrity", "-R", ours])).toContain("0 errors");
  }

  test.each([[["secret"]], [["--only", "secret"]], [["hidden", "secret"]], [["trunk"]]])(
    "publish %j",
    async (words) => {
      const [ours, theirs] = copies(`publish-${words.join("-")}`);
      stock.okSync(["publish", ...words, "-R", theirs]);
      await ok(["repo", "private", "publish", ...words, "-R", ours]);
      // A public delta of a private artifact is undone here, so that a peer can be given it.
      for (const sql of LOOK.slice(0, -1)) {
        expect(await ok(["repo", "query", sql, "-R", ours])).toBe(
          await ok(["repo", "query", sql, "-R", theirs]),
        );
      }
      expect(await ok(["repo", "query", LOOK.at(-1)!, "-R", ours])).toBe("0\n");
    },
  );

  test("scrub", async () => {
    const [ours, theirs] = copies("scrub");
    expect(await cli(["repo", "private", "scrub", "-R", ours])).toMatchObject({ code: 2, stdout: "" });
    stock.okSync(["scrub", "--private", "--force", theirs]);
    await ok(["repo", "private", "scrub", "--force", "-R", ours]);
    await same(ours, theirs);
    expect(readFileSync(ours).includes("seven")).toBe(false);
    stock.okSync(["scrub", "--force", theirs]);
    await ok(["repo", "private", "scrub", "--force", "--secrets", "-R", ours]);
    const logins = "SELECT login, pw FROM user ORDER BY 1";
    expect(await ok(["repo", "query", logins, "-R", ours])).toBe(
      await ok(["repo", "query", logins, "-R", theirs]),
    );
    expect(await ok(["repo", "private", "ls", "-a", "-R", ours])).toBe("");
  });

  test.each([[[]], [["-L", "0"]], [["-L", "4", "--private"]], [["-P"]]])(
    "deconstruct %j",
    async (options) => {
      const [ours, theirs] = copies("take");
      const [mine, their] = ["mine", "their"].map((side) =>
        folder.join(`${side}-${version}-${options.join("")}`),
      );
      mkdirSync(their!);
      stock.okSync(["deconstruct", their!, ...options, "-R", theirs]);
      await ok(["repo", "deconstruct", mine!, ...options, "-R", ours]);
      expect(tree(mine!)).toEqual(tree(their!));
    },
  );

  test("reconstruct", async () => {
    const [from, ours, theirs] = ["parts", "new-ours.fossil", "new-theirs.fossil"].map((name) =>
      folder.join(`${version}-${name}`),
    );
    await ok(["repo", "deconstruct", from!, "-P", "-K", "-R", origin]);
    stock.okSync(["reconstruct", theirs!, from!, "-P", "-K"]);
    const code = "0123456789abcdef0123456789abcdef01234567";
    await ok(["repo", "reconstruct", ours!, from!, "-P", "-K", "--project-code", code]);
    const [blobs, isPrivate, , ...derived] = LOOK;
    for (const sql of [blobs!, isPrivate!, ...derived]) {
      expect(await ok(["repo", "query", sql, "-R", ours!])).toBe(
        await ok(["repo", "query", sql, "-R", theirs!]),
      );
    }
    expect(await ok(["repo", "query", "SELECT uuid FROM blob WHERE rid=1", "-R", ours!])).toBe(
      await ok(["repo", "query", "SELECT uuid FROM blob WHERE rid=1", "-R", origin]),
    );
    expect(await ok(["repo", "config", "get", "project-code", "-R", ours!])).toContain(code);
    expect(stock.okSync(["test-integrity", "-R", ours!])).toContain("0 errors");
  });
});

test("ls, and what is refused", async () => {
  const at = ["-R", origin];
  expect((await ok(["repo", "private", "ls", ...at])).trimEnd().split("\n")).toHaveLength(3);
  const all = JSON.parse(await ok(["repo", "private", "ls", "--all", "--json", ...at])) as unknown[];
  expect(all.length).toBeGreaterThan(5);
  expect(all).toContainEqual(expect.objectContaining({ comment: "secret one", type: "ci", user: "dev" }));
  for (const words of [
    ["private", "publish", "none", ...at],
    ["reconstruct", folder.join("x.fossil"), folder.join("none")],
    ["reconstruct", origin, folder.join("w")],
    ["deconstruct", join(origin, "x"), ...at],
  ]) {
    expect(await cli(["repo", ...words])).toMatchObject({ code: 1, stdout: "" });
  }
  expect(readdirSync(folder.path)).not.toContain("x.fossil");
});
