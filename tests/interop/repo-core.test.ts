/** The repository core against stock: the tables we make, and what we read out of files that stock made. */
import { describe, expect, test } from "bun:test";
import { utf8 } from "../../src/bytes.ts";
import { Db } from "../../src/db.ts";
import { inlineExecutor } from "../../src/executor.ts";
import { formatDateTime } from "../../src/julian.ts";
import { seededRandom } from "../../src/random.ts";
import { Repo } from "../../src/repo.ts";
import { CAPABILITIES, Capabilities, type Capability } from "../../src/repo-capability.ts";
import type { Rid } from "../../src/repo-content.ts";
import { fileOrigins, listFiles } from "../../src/repo-files.ts";
import { findName } from "../../src/repo-name.ts";
import { describeEntry, timeline } from "../../src/repo-timeline.ts";
import { loginSignature, sharedSecret } from "../../src/repo-user.ts";
import { createVerifyJobs, verifyRepository } from "../../src/repo-verify.ts";
import { StandingClock } from "../scratch-repo.ts";
import { TempDir } from "../temp-dir.ts";
import { fixture } from "./fixture.ts";
import { type Stock, stocks } from "./stock.ts";
import { StockBrowser } from "./stock-browser.ts";
import { copyRepository } from "./tables.ts";

const deps = { clock: new StandingClock(), random: seededRandom(7n) };

async function reading<T>(path: string, use: (repo: Repo) => T | Promise<T>): Promise<T> {
  const repo = Repo.open(path, { mode: "read", ...deps });
  try {
    return await use(repo);
  } finally {
    repo.close();
  }
}

/** Columns and indexes of every table, as SQLite understands them; the text of the schema does not matter. */
function structure(path: string): unknown {
  const db = Db.open(path, { mode: "read" });
  try {
    const tables = db
      .prepare("SELECT name FROM sqlite_schema WHERE type='table' AND name NOT GLOB 'sqlite_*' ORDER BY name")
      .values<[string]>();
    const columns = db.prepare(
      `SELECT name, type, "notnull", replace(dflt_value,' ',''), pk FROM pragma_table_info(?) ORDER BY cid`,
    );
    const indexes = db.prepare(
      `SELECT l.name, l."unique", l.origin, group_concat(i.name) FROM pragma_index_list(?) l
       JOIN pragma_index_info(l.name) i GROUP BY l.name ORDER BY l.name`,
    );
    const rowids = db.prepare("SELECT wr FROM pragma_table_list WHERE name=?");
    return tables.map(([name]) => [name, columns.values(name), indexes.values(name), rowids.value(name)]);
  } finally {
    db.close();
  }
}

describe.each(stocks().map((stock) => [stock.version, stock] as const))("stock %s", (_, stock) => {
  test("makes the tables we make", async () => {
    using temp = new TempDir("core");
    const [theirs, ours] = [temp.join("theirs.fossil"), temp.join("ours.fossil")];
    await stock.ok(["new", theirs]);
    Repo.create(ours, { ...deps, user: "dev" }).close();
    // 2.29 stores three tables without rowids that 2.21 stores with them; both read either.
    if (stock.atLeast(2, 29)) expect(structure(ours)).toEqual(structure(theirs));
    else expect(names(structure(ours))).toEqual(names(structure(theirs)));
    const rows = (path: string, sql: string) => {
      const db = Db.open(path, { mode: "read" });
      const found = db.prepare(sql).values();
      db.close();
      return found;
    };
    for (const sql of [
      "SELECT title, mtime, cols, sqlcode, owner, jx FROM reportfmt",
      "SELECT tagid, tagname FROM tag WHERE tagid<12 ORDER BY tagid",
      "PRAGMA application_id",
      "PRAGMA page_size",
      "PRAGMA encoding",
      "SELECT name, value FROM config WHERE name IN ('aux-schema','content-schema','hash-policy')",
    ]) {
      expect(rows(ours, sql)).toEqual(rows(theirs, sql));
    }
    if (!stock.atLeast(2, 29)) return;
    const users = "SELECT uid, login, cap, info, length(pw), jx, cookie, photo, mtime IS NULL FROM user";
    expect(rows(ours, users)).toEqual(rows(theirs, users));
  });

  test("and we read the same content, whole", async () => {
    const path = await fixture(stock);
    const report = await verifyRepository(inlineExecutor(createVerifyJobs(deps)), path, { partCount: 5 });
    const said = await stock.ok(["test-integrity", "-R", path]);
    expect(report.problems).toEqual([]);
    const phantoms = [...said.matchAll(/skip phantom/g)].length;
    expect([report.artifactCount, report.phantomCount]).toEqual([
      Number(/(\d+) non-phantom blobs/.exec(said)![1]),
      phantoms,
    ]);
    await reading(path, async ({ content, db }) => {
      const sample = db
        .prepare("SELECT rid FROM blob WHERE size>=0 AND rid IN (SELECT rid FROM delta) LIMIT 5")
        .values<[Rid]>();
      for (const [rid] of sample) {
        const theirs = (await stock.run(["artifact", content.hashOf(rid), "-R", path])).bytes;
        expect(content.get(rid)).toEqual(theirs);
      }
    });
  });

  test("and we resolve names alike", async () => {
    using temp = new TempDir("core");
    const path = temp.join("r.fossil");
    copyRepository(await fixture(stock), path);
    const cwd = temp.folder("checkout");
    await stock.ok(["open", path, "trunk"], { cwd });
    const names = await reading(path, (repo) => nameCases(repo, stock));
    const said = await stock.ok(["test-name-to-id", ...names], { cwd });
    const checkout = await checkedOut(cwd, path);
    const ours = await reading(path, (repo) =>
      names.map((name) => `${name} -> ${say(repo, name, checkout)}\n`),
    );
    expect(ours.join("")).toBe(said);
    expect(names.length).toBeGreaterThan(200);
    expect([...said.matchAll(/-> [0-9a-f]{40,64}\n/g)].length).toBeGreaterThan(names.length / 2);
    expect(said).toContain("ambiguous name");
  });

  // 2.21 prints comments as they are written.
  test.skipIf(!stock.atLeast(2, 29))("and we tell the same timeline", async () => {
    const path = await fixture(stock);
    const said = await stock.ok(["timeline", "-n", "0", "-W", "0", "-R", path]);
    const theirs = said.split("\n").filter((line) => /^\d\d:\d\d:\d\d /.test(line));
    const ours = await reading(path, (repo) =>
      timeline(repo).map((entry) => `${formatDateTime(entry.date).slice(11)} ${describeEntry(entry)}`),
    );
    expect(ours.map(comparable)).toEqual(theirs.map(comparable));
    expect(ours.length).toBeGreaterThan(100);
  });

  // 2.21 cannot choose by user and knows no wiki pages of branches.
  test.skipIf(!stock.atLeast(2, 29)).each([
    ["branch", ["-b", "trunk"], { branch: "trunk" }],
    ["type", ["-t", "w"], { type: "w" }],
    ["user", ["-u", "alice"], { user: "alice" }],
  ] as const)("and we choose the same entries by %s", async (_, args, query) => {
    const path = await fixture(stock);
    const said = await stock.ok(["timeline", "-n", "0", "-W", "0", ...args, "-R", path]);
    const theirs = [...said.matchAll(/^\d\d:\d\d:\d\d \[([0-9a-f]+)\]/gm)].map(([, hash]) => hash!);
    const ours = await reading(path, (repo) => timeline(repo, query).map(({ hash }) => hash.slice(0, 10)));
    expect(ours).toEqual(theirs);
    expect(ours.length).toBeGreaterThan(2);
  });

  test("and we list the same files, with the same ages", async () => {
    const path = await fixture(stock);
    await reading(path, async (repo) => {
      const checkIns = repo.db
        .prepare("SELECT objid FROM event WHERE type='ci' ORDER BY mtime DESC LIMIT 60")
        .values<[Rid]>();
      for (const [rid] of checkIns.filter((_, i) => i % 15 === 0)) {
        const said = await stock.ok(["ls", "-v", "-r", repo.content.hashOf(rid), "-R", path]);
        const files = listFiles(repo, rid);
        const origins = fileOrigins(repo, rid, files);
        const ours = files.map(
          ({ name, size }) =>
            `${formatDateTime(origins.get(name)!.date)}  ${String(size).padStart(7)}  ${name}`,
        );
        expect(ours.sort()).toEqual(said.trimEnd().split("\n").sort());
      }
    });
  });

  test("and users: their rights, and passwords in both forms", async () => {
    using temp = new TempDir("core");
    const path = temp.join("r.fossil");
    copyRepository(await fixture(stock), path);
    const users: readonly (readonly [login: string, capabilities: string])[] = [
      ["setup", "s"],
      ["admin", "a"],
      ["dev1", "v"],
      ["read1", "u"],
      ["both", "uv"],
      ["wild", "kw5xyA"],
      ["none", "z"],
      ["odd", "!Ü9Z"],
    ];
    const repo = Repo.open(path, { mode: "write", ...deps });
    for (const [login, capabilities] of users)
      repo.users.add(login, { capabilities, password: `pw-${login}` });
    repo.users.setCapabilities("nobody", "gjr");
    repo.users.setCapabilities("anonymous", "hmnc");
    repo.config.set("test_env_enable", "1");
    const ours = users.map(([login]) => [login, rights(Capabilities.of(repo.users, login))]);
    ours.push(["nobody", rights(Capabilities.of(repo.users, undefined))]);
    repo.close();
    await using server = await stock.serve(path);
    const page = stock.atLeast(2, 29) ? "/test-env" : "/test_env";
    const theirs: string[][] = [];
    for (const [login] of users) {
      const { body } = await (await StockBrowser.login(server.url, login, `pw-${login}`)).get(page);
      theirs.push([login, statedRights(body)]);
    }
    theirs.push(["nobody", statedRights(await (await fetch(`${server.url}${page}`)).text())]);
    expect(ours).toEqual(theirs);
    await stock.ok(["user", "password", "none", "changed by stock", "-R", path]);
    await reading(path, ({ users: read, config }) => {
      expect(read.checkPassword("none", "changed by stock")).toBe(true);
      const secret = sharedSecret(config.projectCode!, "none", "changed by stock");
      expect(read.checkSignature("none", "nonce", loginSignature("nonce", secret))).toBe(true);
      expect(read.checkPassword("none", "pw-none")).toBe(false);
    });
  });

  test("stops where it is while we write, and reads on", async () => {
    using temp = new TempDir("core");
    const path = temp.join("r.fossil");
    Repo.create(path, { ...deps, user: "dev" }).close();
    const repo = Repo.open(path, { mode: "write", ...deps });
    try {
      const hash = repo.content.hashOf(
        repo.content.put(utf8("in the WAL\n"), { rcvid: 0, isPrivate: false }),
      );
      expect(await stock.ok(["artifact", hash, "-R", path])).toBe("in the WAL\n");
      await stock.ok(["settings", "autosync", "0", "-R", path]);
      expect(repo.config.get("autosync")).toBe("0");
    } finally {
      repo.close();
    }
  });
});

function names(all: unknown): string[] {
  return (all as [string][]).map(([name]) => name);
}

/** Every branch and tag, prefixes of hashes, times, and what can be combined of them. */
function nameCases(repo: Repo, stock: Stock): string[] {
  const column = <T extends string | number>(sql: string): T[] => repo.db.prepare(sql).values<[T]>().flat();
  const tags = column<string>("SELECT substr(tagname,5) FROM tag WHERE tagname GLOB 'sym-*'").slice(0, 12);
  const hashes = column<string>("SELECT uuid FROM blob WHERE size>=0 ORDER BY rid LIMIT 12");
  const shared = column<string>("SELECT substr(uuid,1,1) FROM blob GROUP BY 1 HAVING count(*)>1 LIMIT 2");
  const twice = column<string>("SELECT substr(uuid,1,4) FROM blob GROUP BY 1 HAVING count(*)>1 LIMIT 3");
  const times = column<string>("SELECT datetime(mtime) FROM event ORDER BY objid LIMIT 8");
  const ofTime = (time: string) => [
    time,
    time.slice(0, 10),
    time.slice(0, 16),
    time.replace(" ", "T"),
    time.replace(/\D/g, ""),
    time.replace(/\D/g, "").slice(0, 8),
    `date:${time}`,
    `trunk:${time}`,
    `trunk:${time.replace(/\D/g, "").slice(0, 12)}`,
    `start:trunk:${time.slice(0, 10)}`,
  ];
  const ofTag = (tag: string) => [tag, `tag:${tag}`, `root:${tag}`, `start:${tag}`, `${tag}?`, `(${tag}`];
  const cases = [
    ...["tip", "trunk", "current", "prev", "previous", "next", "root:current", "start:prev"],
    ...tags.flatMap(ofTag),
    ...hashes.flatMap((hash) => [
      hash,
      hash.slice(0, 12),
      `[${hash.slice(0, 16)}]`,
      hash.slice(0, 9).toUpperCase(),
    ]),
    ...[...shared, ...twice],
    ...times.flatMap(ofTime),
    ...["nosuch", "tag:nosuch", "root:nosuch", "1970-01-02", "date:junk", "rid:1", "rid:x", "trunk..", "abc"],
  ];
  // Older versions round times less carefully, and go by time alone where history is older than its parent.
  if (!stock.atLeast(2, 29)) return cases;
  return [...cases, ...times.map((time) => `${time}.5Z`), ...tags.map((tag) => `merge-in:${tag}`)];
}

function say(repo: Repo, name: string, checkout: Rid): string {
  try {
    const rid = findName(repo, name, { checkout });
    return rid === undefined ? `ERROR: cannot resolve name: ${name}` : repo.content.hashOf(rid);
  } catch (error) {
    if ((error as { code?: string }).code === "name-ambiguous") return `ERROR: ambiguous name: ${name}`;
    throw error;
  }
}

async function checkedOut(cwd: string, path: string): Promise<Rid> {
  const db = Db.open(`${cwd}/.fslckout`, { mode: "read" });
  const hash = db.prepare("SELECT value FROM vvar WHERE name='checkout-hash'").value<string>()!;
  db.close();
  return reading(path, ({ content }) => content.ridOf(hash as never)!);
}

/**
 * Tags in one order, for stock lists them as its query happens to find them; spaces as one; without brackets,
 * which stock leaves out where a link leads to a wiki page that exists; and without the hash that stock prints
 * before some labels.
 */
function comparable(line: string): string {
  const tags = / tags: ([^)]*)\)$/.exec(line);
  const sorted = tags === null ? line : line.replace(tags[1]!, tags[1]!.split(", ").sort().join(", "));
  return sorted
    .replace(/\s+/g, " ")
    .replace(/[[\]]|[0-9a-f]{16}\|/g, "")
    .trim();
}

function rights(capabilities: Capabilities): string {
  return (Object.keys(CAPABILITIES) as Capability[])
    .filter((letter) => letter !== "B" && capabilities.has(letter))
    .sort()
    .join("");
}

/** What stock says in /test-env. It leaves `B` out of the letters it knows. */
function statedRights(page: string): string {
  const letters = /capabilities = (\S*?)\s*(?:<|\n)/.exec(page)?.[1];
  if (letters === undefined) throw new Error(`no capabilities in ${page}`);
  return [...letters]
    .filter((letter) => letter in CAPABILITIES && letter !== "B")
    .sort()
    .join("");
}
