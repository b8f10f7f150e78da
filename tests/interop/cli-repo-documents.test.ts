import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync } from "node:fs";
import { cli } from "../cli-process.ts";
import { TempDir } from "../temp-dir.ts";
import { stocks } from "./stock.ts";

/** Wiki pages, tickets, technotes and attachments: made by us and by stock in copies of one repository, and read by both. */
const folder = new TempDir("cli-docs");
afterAll(() => folder.remove());

async function ok(words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await cli(words);
  if (code !== 0) throw new Error(`edgesync ${words.join(" ")}: ${stderr}`);
  return stdout;
}

const LOOK = [
  "SELECT uuid FROM blob ORDER BY uuid",
  "SELECT type, mtime, user, comment FROM event ORDER BY 1, 2, 4",
  "SELECT tagname, b.uuid, tagtype, value FROM tagxref JOIN tag USING(tagid) JOIN blob b USING(rid) ORDER BY 1, 2",
  "SELECT target, filename, src, isLatest, user FROM attachment ORDER BY 1, 2, mtime",
  "SELECT p.uuid, c.uuid, isprim FROM plink JOIN blob p ON p.rid=pid JOIN blob c ON c.rid=cid ORDER BY 1, 2",
  "SELECT tkt_uuid, tkt_mtime, type, status, title, comment FROM ticket ORDER BY 1",
  "SELECT tkt_mtime, tkt_user, icomment FROM ticketchng ORDER BY 1",
  "SELECT uuid FROM unsent JOIN blob USING(rid) ORDER BY 1",
];

describe.each(stocks().map((stock) => [stock.version, stock] as const))("stock %s", (version, stock) => {
  const [ours, theirs] = ["ours", "theirs"].map((name) => folder.join(`${name}-${version}.fossil`)) as [
    string,
    string,
  ];
  const at = ["-R", ours];
  const text = (name: string, content: string) => folder.write(`${version}/${name}`, content);

  async function same(queries = LOOK): Promise<void> {
    for (const sql of queries) {
      expect(await ok(["repo", "query", sql, "-R", ours])).toBe(
        await ok(["repo", "query", sql, "-R", theirs]),
      );
    }
  }

  /** When stock made its newest artifact: stock takes the time itself. */
  async function stamp(): Promise<string> {
    const sql =
      "SELECT strftime('%Y-%m-%dT%H:%M:%f', max(mtime)) FROM (SELECT mtime FROM event UNION SELECT mtime FROM tagxref)";
    return (await ok(["repo", "query", sql, "-R", theirs])).trim();
  }

  beforeAll(() => {
    stock.okSync(["new", ours, "--date-override", "2025-12-01"]);
    copyFileSync(ours, theirs);
  });

  test("wiki", async () => {
    const steps: readonly (readonly string[])[] = [
      ["create", "Home", text("1", "first\n\n")],
      ["commit", "Home", text("2", "second [link]  \n")],
      ["create", 'A "b" ü', text("3", "*md*"), "-M", "markdown"],
      ["commit", 'A "b" ü', text("4", "more")],
      ["create", "branch/trunk", text("5", "about"), "--mimetype", "text/plain"],
      ["commit", "Home", text("6", "")],
    ];
    for (const words of steps) {
      const printed = stock.okSync(["wiki", ...words, "-R", theirs]);
      const date = await stamp();
      expect(await ok(["repo", "wiki", ...words, "--user", "dev", "--date-override", date, ...at])).toBe(
        printed,
      );
      await same();
    }
    for (const options of [[], ["--all"], ["-a"]]) {
      expect(await ok(["repo", "wiki", "ls", ...options, ...at])).toBe(
        stock.okSync(["wiki", "ls", ...options, "-R", theirs]),
      );
    }
    for (const page of ["Home", 'A "b" ü']) {
      expect(await ok(["repo", "wiki", "export", page, ...at])).toBe(
        stock.okSync(["wiki", "export", page, "-R", theirs]),
      );
    }
    expect(JSON.parse(await ok(["repo", "wiki", "export", 'A "b" ü', "--json", ...at]))).toMatchObject({
      mimetype: "text/x-markdown",
      text: "more\n",
      user: "dev",
    });
    for (const [words, code] of [
      [["create", "Home", text("x", "x")], 1],
      [["commit", "None", text("x", "x")], 1],
      [["create", " bad", text("x", "x")], 1],
      [["create", "Kind", text("x", "x"), "-M", "html"], 2],
      [["export", "None"], 1],
    ] as const) {
      expect(await cli(["repo", "wiki", ...words, ...at])).toMatchObject({ code, stdout: "" });
    }
    await same();
  });

  test("ticket", async () => {
    const id = "0123456789abcdef0123456789abcdef01234567";
    const mine = (...words: string[]) => ok(["repo", "ticket", ...words, ...at]);
    const steps: readonly (readonly string[])[] = [
      ["add", "title", "It crashes", "type", "Code_Defect", "status", "Open", "--uuid-override", id],
      ["set", id, "status", "Fixed", "+icomment", "line one\nline two", "private_contact", "ann@example.org"],
      ["set", id.slice(0, 6), "status", "Closed", "priority", ""],
    ];
    for (const [i, words] of steps.entries()) {
      const date = `2026-01-0${i + 1}T10:00:00.123`;
      const printed = stock.okSync([
        "ticket",
        ...words,
        "-R",
        theirs,
        "--date-override",
        date,
        "--user-override",
        "dev",
      ]);
      const own = words.map((word) => (word === "add" ? "new" : word === "--uuid-override" ? "--id" : word));
      expect(await mine(...own, "--date-override", date, "--user", "dev")).toBe(printed);
      await same([...LOOK, "SELECT hash, content FROM concealed"]);
    }
    expect(await mine("fields")).toBe(stock.okSync(["ticket", "ls", "fields", "-R", theirs]));
    const history = stock.okSync(["ticket", "history", id, "-R", theirs]);
    expect((await mine("history", id)).replace(/\n +/g, " ")).toBe(history.replace(/\n +/g, " "));
    expect(await mine("ls", "--where", "status=Closed")).toBe(
      "0123456789  Closed  Code_Defect  It crashes\n",
    );
    expect(await mine("ls", "--where", "status!=Closed")).toBe("");
    expect(JSON.parse(await mine("show", "0123", "--json"))).toMatchObject({
      id,
      fields: {
        title: "It crashes",
        status: "Closed",
        private_contact: expect.stringMatching(/^[0-9a-f]{40}$/),
      },
    });
    for (const [words, code] of [
      [["show", "ffff"], 1],
      [["show", "zz"], 1],
      [["set", id, "nofield", "x"], 2],
      [["set", id, "status"], 2],
      [["new", "title", ""], 2],
      [["ls", "--where", "x"], 2],
    ] as const) {
      expect(await cli(["repo", "ticket", ...words, ...at])).toMatchObject({ code, stdout: "" });
    }
  });

  /** Ids of technotes are random, so that only what is shown can be the same. */
  test("technote", async () => {
    const note = text("note", "the note\n");
    const when = "2026-03-04T05:06:07";
    stock.okSync([
      "wiki",
      "create",
      "A comment",
      note,
      "-t",
      when,
      "--technote-tags",
      "b, a",
      "--technote-bgcolor",
      "#aabbcc",
      "-R",
      theirs,
    ]);
    const words = ["A comment", note, "--time", when, "--tag", "b", "--tag", "a", "--bgcolor", "#aabbcc"];
    const id = (await ok(["repo", "technote", "new", ...words, "--user", "dev", ...at])).trim();
    const shown = "SELECT mtime, user, comment, bgcolor FROM event WHERE type='e'";
    await same([shown]);
    expect(await ok(["repo", "technote", "ls", ...at])).toBe(
      stock.okSync(["wiki", "ls", "-t", "-R", theirs]),
    );
    expect(await ok(["repo", "technote", "ls", "-s", ...at])).toBe(
      stock.okSync(["wiki", "ls", "-t", "-s", ...at]),
    );
    const changed = text("note2", "other\n");
    stock.okSync(["wiki", "commit", "Another", changed, "-t", when, "-R", theirs]);
    await ok([
      "repo",
      "technote",
      "edit",
      id.slice(0, 8),
      changed,
      "-m",
      "Another",
      "--bgcolor",
      "",
      "--user",
      "dev",
      ...at,
    ]);
    await same([shown]);
    for (const name of [id.slice(0, 8), when, "a"]) {
      expect(await ok(["repo", "technote", "show", name, ...at])).toBe("other\n");
      expect(stock.okSync(["wiki", "export", "-t", name, ...at])).toBe("other\n");
    }
    expect(JSON.parse(await ok(["repo", "technote", "show", id, "--json", ...at]))).toMatchObject({
      id,
      comment: "Another",
      tags: ["a", "b"],
    });
    expect(await cli(["repo", "technote", "show", "nothing", ...at])).toMatchObject({ code: 1, stdout: "" });
  });

  test("attach", async () => {
    const file = text("f.txt", "content");
    const artifact = text("artifact", stock.okSync(["artifact", "rid:1", "-R", ours]));
    const steps: readonly (readonly string[])[] = [
      ['A "b" ü', file],
      ["Home", file],
      ["Home", artifact],
    ];
    const attachments = LOOK.filter((sql) => sql.includes("attachment"));
    for (const [page, name] of steps) {
      stock.okSync(["attachment", "add", page!, name!, "-R", theirs]);
      const date = await stamp();
      const printed = await ok([
        "repo",
        "attach",
        name!,
        "--wiki",
        page!,
        "--user",
        "dev",
        "--date-override",
        date,
        ...at,
      ]);
      expect(printed).toEndWith(` to wiki page ${page}.\n`);
      await same(attachments);
    }
    const list = JSON.parse(await ok(["repo", "attach", "--wiki", "Home", "--json", ...at])) as {
      name: string;
    }[];
    expect(list.map(({ name }) => name)).toEqual(["artifact.gz", "f.txt"]);
    expect(await ok(["repo", "cat", (list[1] as unknown as { hash: string }).hash, ...at])).toBe("content");
    await ok(["repo", "attach", file, "--ticket", "0123", ...at]);
    await ok(["repo", "attach", file, "--technote", "a", "-m", "about it", ...at]);
    await ok(["repo", "attach", "--wiki", "Home", "--remove", "f.txt", ...at]);
    expect(await ok(["repo", "attach", "--wiki", "Home", ...at])).not.toContain("f.txt");
    for (const [words, code] of [
      [[file], 2],
      [[file, "--wiki", "Home", "--ticket", "0123"], 2],
      [[file, "--wiki", "None"], 1],
      [[folder.join("none"), "--wiki", "Home"], 1],
      [["--wiki", "Home", "--remove", "f.txt"], 1],
    ] as const) {
      expect(await cli(["repo", "attach", ...words, ...at])).toMatchObject({ code, stdout: "" });
    }
    expect(stock.okSync(["test-integrity", ...at])).toContain("0 errors");
    stock.okSync(["rebuild", ours]);
  });
});
