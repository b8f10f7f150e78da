/** Shunned artifacts, with stock as the other side: what a purge leaves, how the list travels, and what does not come back. */
import { expect, test } from "bun:test";
import { Db } from "../../src/db.ts";
import { TempDir } from "../temp-dir.ts";
import { copyFixture } from "./fixture.ts";
import { edgesyncWords, LeafProcess } from "./leaf-process.ts";
import { type Stock, stockEnv, stocks } from "./stock.ts";
import { PASSWORD } from "./stock-hands.ts";
import { artifactSet, rebuildParity } from "./tables.ts";

async function edgesync(...args: string[]): Promise<unknown> {
  const child = Bun.spawn([...edgesyncWords(), ...args, "--json"], {
    env: stockEnv(),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, error] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  expect({ args, code: await child.exited, error }).toMatchObject({ code: 0 });
  return JSON.parse(out);
}

function rows(repository: string, sql: string): string[] {
  const db = Db.open(repository, { mode: "read" });
  try {
    return db.once(sql, (statement) => statement.values<[string]>()).map(([value]) => value);
  } finally {
    db.close();
  }
}

/** A file that others are stored as deltas of, and a check-in that others descend from. */
async function twoWithDependents(stock: Stock, temp: TempDir, repository: string): Promise<[string, string]> {
  const checkout = temp.folder("making");
  const run = (...args: string[]) => stock.ok(args, { cwd: checkout });
  await run("open", repository, "trunk");
  const text = Array.from({ length: 300 }, (_, i) => `line ${i}\n`).join("");
  for (let i = 0; i < 4; i++) {
    temp.write("making/shun me.txt", `${text}${"more\n".repeat(i)}`);
    await run("addremove");
    await run("commit", "-m", `Version ${i}`, "--no-warnings");
  }
  await run("close");
  const ofFile = `SELECT b.uuid FROM mlink JOIN filename USING(fnid) JOIN blob b ON b.rid=fid
     JOIN event ON objid=mid WHERE name='shun me.txt' ORDER BY event.mtime`;
  const ofCheckIn = "SELECT uuid FROM event JOIN blob ON rid=objid WHERE comment='Version 2'";
  const files = rows(repository, ofFile);
  return [files[3]!, rows(repository, ofCheckIn)[0]!];
}

test.each(stocks().map((stock) => [stock.version, stock] as const))(
  "add, purge and travel: stock %s",
  async (_, stock) => {
    using temp = new TempDir("shun");
    const repository = await copyFixture(temp, stock);
    const [file, checkIn] = await twoWithDependents(stock, temp, repository);
    const before = temp.join("before.fossil");
    await stock.ok(["sql", `VACUUM INTO '${before}'`, "-R", repository]);

    await edgesync("repo", "shun", "add", file, checkIn, "--comment", "spam", "-R", repository);
    const listed = await edgesync("repo", "shun", "ls", "-R", repository);
    expect(listed).toEqual(
      expect.arrayContaining(
        [file, checkIn].map((hash) => expect.objectContaining({ hash, comment: "spam", isHere: true })),
      ),
    );
    const dependents = `SELECT count(*) FROM delta JOIN blob ON blob.rid=srcid WHERE uuid='${file}'`;
    expect(Number(rows(repository, dependents)[0])).toBeGreaterThan(0);
    const purged = (await edgesync("repo", "shun", "purge", "-R", repository)) as { purged: string[] };
    expect([...purged.purged].sort()).toEqual([file, checkIn].sort());
    const isGone = (line: string) => ![file, checkIn].some((hash) => line.startsWith(hash));
    expect(artifactSet(repository)).toEqual(artifactSet(before).filter(isGone));
    expect(await stock.ok(["test-integrity", "-R", repository])).toContain(" 0 errors");
    expect(await rebuildParity(repository, stock)).toEqual([]);

    // Stock rebuilds the same from the same list.
    await stock.ok([
      "sql",
      `INSERT INTO shun SELECT uuid,0,'' FROM blob WHERE uuid IN ('${file}','${checkIn}')`,
      "-R",
      before,
    ]);
    await stock.ok(["rebuild", before]);
    expect(artifactSet(before)).toEqual(artifactSet(repository));

    await using leaf = await LeafProcess.start(repository);
    const clone = temp.join("clone.fossil");
    await stock.ok(["clone", leaf.url, clone, "--no-open"]);
    expect(artifactSet(clone).filter((line) => !isGone(line))).toEqual([]);
    await stock.ok(["config", "pull", "shun", leaf.url, "-R", clone]);
    const list = "SELECT uuid FROM shun ORDER BY uuid";
    expect(rows(clone, list)).toEqual(rows(repository, list));
  },
);

test.each(stocks().map((stock) => [stock.version, stock] as const))(
  "pushed again by stock %s it is neither stored nor sent, until it is off the list",
  async (_, stock) => {
    using temp = new TempDir("shun");
    const repository = await copyFixture(temp, stock);
    const [file, checkIn] = await twoWithDependents(stock, temp, repository);
    const client = temp.join("client.fossil");
    await stock.ok(["sql", `VACUUM INTO '${client}'`, "-R", repository]);
    await edgesync("repo", "shun", "add", file, checkIn, "-R", repository);
    await edgesync("repo", "shun", "purge", "-R", repository);
    await using leaf = await LeafProcess.start(repository);
    const push = async () => {
      await stock.ok([
        "sql",
        `INSERT OR IGNORE INTO unsent SELECT rid FROM blob WHERE uuid IN ('${file}','${checkIn}')`,
        "-R",
        client,
      ]);
      await stock.ok(["push", leaf.urlAs("alice", PASSWORD), "-R", client, "--once"]);
      return artifactSet(repository).filter((line) => line.startsWith(file) || line.startsWith(checkIn))
        .length;
    };
    expect(await push()).toBe(0);
    const pulled = temp.join("pulled.fossil");
    await stock.ok(["clone", leaf.url, pulled, "--no-open"]);
    expect(artifactSet(pulled).some((line) => line.startsWith(file))).toBe(false);
    await edgesync("repo", "shun", "rm", file, checkIn, "-R", repository);
    expect(await push()).toBe(2);
    expect(await stock.ok(["test-integrity", "-R", repository])).toContain(" 0 errors");
  },
);
