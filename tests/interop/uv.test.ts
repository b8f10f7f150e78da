/** Unversioned files between stock clients and ours, and what each makes of the other's table. */
import { describe, expect, test } from "bun:test";
import { text, utf8 } from "../../src/bytes.ts";
import { systemClock } from "../../src/clock.ts";
import { seededRandom, systemRandom } from "../../src/random.ts";
import { Repo } from "../../src/repo.ts";
import { Unversioned } from "../../src/repo-unversioned.ts";
import { TempDir } from "../temp-dir.ts";
import { type Stock, stocks } from "./stock.ts";
import { onBothSides, type Side } from "./two-sides.ts";

const PASSWORD = "pass word";

/** Names, times, hashes, sizes and content, deleted ones too. */
function filesIn(path: string): string[] {
  const repo = Repo.open(path, { mode: "read", clock: systemClock, random: systemRandom });
  try {
    const files = new Unversioned(repo);
    return files.entries().map(({ name, mtime, hash, size }) => {
      const content = files.content(name);
      const shown = content === undefined ? "none" : Bun.hash(content).toString(16);
      return `${name} ${mtime} ${hash ?? "-"} ${size} ${shown}`;
    });
  } finally {
    repo.close();
  }
}

async function makeBase(stock: Stock, temp: TempDir): Promise<string> {
  const base = temp.join("base.fossil");
  await stock.ok(["new", base, "-A", "dev"]);
  await stock.ok(["user", "password", "dev", PASSWORD, "-R", base]);
  await stock.ok(["user", "capabilities", "dev", "sy", "-R", base]);
  await stock.ok(["user", "new", "guest", "x", PASSWORD, "-R", base]);
  return base;
}

/** A client's repository and what it does to unversioned files. */
class Client {
  readonly path: string;

  constructor(
    private readonly side: Side,
    name: string,
    private readonly user = "dev",
  ) {
    this.path = side.file(`${name}.fossil`);
  }

  get url(): string {
    return this.side.urlAs(this.user, PASSWORD);
  }

  clone(...args: string[]): Promise<string> {
    return this.side.run(["clone", ...args, this.url, this.path, "--no-open"]);
  }
  async uv(...args: string[]): Promise<string> {
    return this.side.run(["uv", ...args, "-R", this.path]);
  }
  sync(...args: string[]): Promise<string> {
    return this.uv("sync", this.url, ...args);
  }
  async add(name: string, content: string | Uint8Array, time: string): Promise<void> {
    const file = this.side.temp.write("upload", content);
    await this.uv("add", file, "--as", name, "--mtime", time);
  }
}

const IDLE = "Round-trips: 1 Artifacts sent: 0 received: 0";

async function scenario(side: Side): Promise<unknown> {
  const [ann, bob, guest] = [
    new Client(side, "ann"),
    new Client(side, "bob"),
    new Client(side, "guest", "guest"),
  ];
  const states: string[][] = [];
  const note = () => states.push(filesIn(side.path), filesIn(ann.path), filesIn(bob.path));
  await ann.clone();
  await bob.clone();
  await ann.sync();
  // Added, an empty and a large one among them.
  await ann.add("a.txt", "one\n".repeat(100), "2024-01-01 00:00:00");
  await ann.add("dir/empty", "", "2024-01-01 00:00:01");
  await ann.add("größe.bin", seededRandom(5n).bytes(400_000), "2024-01-01 00:00:02");
  await ann.sync("-v");
  expect(await ann.sync()).toContain(IDLE);
  await bob.sync("-v");
  note();
  // Changed on both ends: the newer wins; as old, the greater hash.
  await ann.add("a.txt", "by ann", "2024-01-02 00:00:00");
  await bob.add("a.txt", "by bob", "2024-01-03 00:00:00");
  await ann.add("tie", "tie 1", "2024-01-04 00:00:00");
  await bob.add("tie", "tie 2", "2024-01-04 00:00:00");
  await ann.sync("-v");
  await bob.sync("-v");
  await ann.sync("-v");
  note();
  // Touched, deleted, and added again.
  await ann.uv("touch", "a.txt", "--mtime", "2024-02-01 00:00:00");
  await ann.uv("rm", "dir/empty", "--mtime", "2024-02-01 00:00:01");
  await ann.uv("rm", "nowhere", "--mtime", "2024-02-01 00:00:02");
  await bob.uv("rm", "tie", "--mtime", "2024-02-01 00:00:03");
  await ann.sync("-v");
  await bob.sync("-v");
  await ann.sync("-v");
  note();
  await bob.add("tie", "again", "2024-03-01 00:00:00");
  await bob.add("extra", "extra", "2024-03-01 00:00:01");
  await bob.uv("revert", bob.url, "-v");
  note();
  // Who may not write is told so, and reads all the same.
  await guest.clone();
  await guest.sync("-v");
  await guest.add("mine", "mine", "2024-04-01 00:00:00");
  await guest.sync("-v");
  states.push(filesIn(guest.path), filesIn(side.path));
  for (const client of [ann, bob]) expect(await client.sync()).toContain(IDLE);
  const hashes = [side.path, ann.path, bob.path].map((path) => side.stock.okSync(["uv", "hash", "-R", path]));
  expect(new Set(hashes).size).toBe(1);
  return { said: side.said, states, hashes };
}

async function cloneWithFiles(side: Side): Promise<unknown> {
  const ann = new Client(side, "first");
  await ann.clone();
  await ann.add("a.txt", "hello", "2024-01-01 00:00:00");
  await ann.sync();
  await side.stock.ok(["settings", "uv-sync", "1", "-R", side.path]);
  const plain = new Client(side, "plain");
  await plain.clone();
  const asked = new Client(side, "asked");
  await asked.clone("--unversioned");
  return { said: side.said, states: [filesIn(plain.path), filesIn(asked.path)] };
}

describe.each(stocks().map((stock) => [stock.version, stock] as const))("stock %s", (_, stock) => {
  test("syncs unversioned files with us as with its own server", async () => {
    using temp = new TempDir("uv");
    const { ours, theirs } = await onBothSides(stock, temp, await makeBase(stock, temp), scenario);
    expect(ours).toEqual(theirs);
  });

  test("gets them with a clone where the server says so", async () => {
    using temp = new TempDir("uv");
    const { ours, theirs } = await onBothSides(stock, temp, await makeBase(stock, temp), cloneWithFiles);
    expect(ours).toEqual(theirs);
  });

  test("reads the files we store, and we those it stores", async () => {
    using temp = new TempDir("uv");
    const path = await makeBase(stock, temp);
    const open = () => Repo.open(path, { mode: "write", clock: systemClock, random: systemRandom });
    const contents = new Map([
      ["a", ""],
      ["b/c", "short"],
      ["größe", "long ".repeat(5000)],
    ]);
    let repo = open();
    let files = new Unversioned(repo);
    let time = 1_700_000_000;
    for (const [name, content] of contents) files.add(name, utf8(content), time++, 1);
    files.add("gone", utf8("x"), 5, 1);
    files.remove("gone", 6);
    repo.close();
    for (const [name, content] of contents) {
      expect(await stock.ok(["uv", "cat", name, "-R", path])).toBe(content);
    }
    const listed = await stock.ok(["uv", "ls", "-R", path]);
    expect(listed.trim().split("\n")).toEqual(["a", "b/c", "größe"]);
    const theirHash = await stock.ok(["uv", "hash", "-R", path]);
    for (const [name, content] of contents) {
      const file = temp.write("upload", `${content}more`);
      await stock.ok(["uv", "add", file, "--as", name, "-R", path]);
    }
    await stock.ok(["uv", "rm", "a", "-R", path]);
    repo = open();
    files = new Unversioned(repo);
    expect(files.content("a")).toBeUndefined();
    expect(text(files.content("b/c")!)).toBe("shortmore");
    expect(text(files.content("größe")!)).toBe(`${"long ".repeat(5000)}more`);
    expect(files.catalogHash()).not.toBe(theirHash.trim());
    const ourHash = files.catalogHash();
    repo.close();
    expect((await stock.ok(["uv", "hash", "--debug", "-R", path])).trim().split("\n").at(-1)).toBe(ourHash);
    expect(await stock.ok(["test-integrity", "-R", path])).toContain(" 0 errors");
  });
});
