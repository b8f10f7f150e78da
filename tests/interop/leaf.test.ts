/** Stock clients against a leaf. Acceptance: fossil-facts H, "Our server". */
import { describe, expect, test } from "bun:test";
import { systemClock } from "../../src/clock.ts";
import { systemRandom } from "../../src/random.ts";
import { Repo } from "../../src/repo.ts";
import { TempDir } from "../temp-dir.ts";
import { noise } from "../transport-contract.ts";
import { copyFixture } from "./fixture.ts";
import { LeafProcess } from "./leaf-process.ts";
import { type Stock, stocks } from "./stock.ts";
import { PASSWORD } from "./stock-hands.ts";
import { artifactSet, rebuildParity } from "./tables.ts";

const isPublic = (line: string) => !line.endsWith(" private");

/** A client's clone with a checkout of trunk. */
class Client {
  readonly repository: string;
  readonly checkout: string;

  private constructor(
    readonly stock: Stock,
    temp: TempDir,
    name: string,
    private readonly user: string,
  ) {
    this.repository = temp.join(`${name}.fossil`);
    this.checkout = temp.folder(`${name}-checkout`);
  }

  static async of(stock: Stock, temp: TempDir, name: string, url: string, user = "dev"): Promise<Client> {
    const client = new Client(stock, temp, name, user);
    await stock.ok(["clone", url, client.repository, "--no-open", "-A", user, "--save-http-password"]);
    await client.run("open", client.repository, "trunk");
    return client;
  }

  run(...args: string[]): Promise<string> {
    return this.stock.ok(args, { cwd: this.checkout, user: this.user });
  }

  /** Standard output and error, whatever the exit status. */
  async say(...args: string[]): Promise<string> {
    const { stdout, stderr } = await this.stock.run(args, { cwd: this.checkout, user: this.user });
    return stdout + stderr;
  }
}

for (const stock of stocks()) {
  describe(`a leaf and stock ${stock.version}`, () => {
    test("clone, edit, commit through the leaf, seen in a second clone", async () => {
      using temp = new TempDir("leaf");
      const repository = await copyFixture(temp, stock);
      await using leaf = await LeafProcess.start(repository);
      const first = await Client.of(stock, temp, "first", leaf.urlAs("bob", PASSWORD), "bob");
      temp.write("first-checkout/made here.txt", "by the first\n");
      await first.run("add", "made here.txt");
      expect(await first.run("commit", "-m", "Through the leaf", "--no-warnings")).toContain("New_Version");
      const second = await Client.of(stock, temp, "second", leaf.urlAs("alice", PASSWORD), "alice");
      expect(await second.run("timeline", "-n", "3")).toContain("Through the leaf");
      expect(await second.run("cat", "made here.txt")).toBe("by the first\n");
      temp.write("second-checkout/made here.txt", "by the second\n");
      await second.run("commit", "-m", "And back", "--no-warnings");
      await first.run("update");
      expect(await first.run("cat", "made here.txt")).toBe("by the second\n");
      expect(await leaf.stop()).toBe(0);
      expect(await stock.ok(["test-integrity", "-R", repository])).toContain(" 0 errors");
      expect(await rebuildParity(repository, stock)).toEqual([]);
    });

    test("clones of many large pages, two at a time, have every public artifact", async () => {
      using temp = new TempDir("leaf");
      const repository = await copyFixture(temp, stock);
      const repo = Repo.open(repository, { mode: "write", clock: systemClock, random: systemRandom });
      repo.config.set("max-download", "600000");
      for (let i = 1; i <= 8; i++) {
        // Large enough for pages to travel from files, one for the artifact to be written there by itself.
        repo.content.put(noise(i === 3 ? 2_000_000 : 200_000 + i), { rcvid: 1, isPrivate: false });
      }
      repo.close();
      await using leaf = await LeafProcess.start(repository);
      const clones = ["one", "two"].map((name) => temp.join(`${name}.fossil`));
      const results = await Promise.all(
        clones.map((clone) => stock.run(["clone", leaf.url, clone, "--no-open"])),
      );
      expect(results.map(({ code }) => code)).toEqual([0, 0]);
      const expected = artifactSet(repository).filter(isPublic);
      for (const clone of clones) {
        expect(artifactSet(clone)).toEqual(expected);
        expect(await stock.ok(["test-integrity", "-R", clone])).toContain(" 0 errors");
      }
    });

    test("a clone has every public artifact, and is sound", async () => {
      using temp = new TempDir("leaf");
      const repository = await copyFixture(temp, stock);
      await using leaf = await LeafProcess.start(repository);
      const clone = temp.join("clone.fossil");
      const { code } = await stock.run(["clone", `${leaf.url}/any/path`, clone, "--no-open"]);
      expect(code).toBe(0);
      expect(artifactSet(clone)).toEqual(artifactSet(repository).filter(isPublic));
      expect(await stock.ok(["test-integrity", "-R", clone])).toContain(" 0 errors");
      expect(await rebuildParity(clone, stock)).toEqual([]);
    });

    test("a whole project pushed into an empty repository equals its rebuild", async () => {
      using temp = new TempDir("leaf");
      const source = await copyFixture(temp, stock);
      const projectCode = /project-code: +([0-9a-f]{40})/.exec(await stock.ok(["info", "-R", source]))![1]!;
      const repository = temp.join("empty.fossil");
      const deps = { clock: systemClock, random: systemRandom };
      Repo.create(repository, { ...deps, user: "ann", password: PASSWORD, projectCode }).close();
      await using leaf = await LeafProcess.start(repository);
      await stock.ok(["push", leaf.urlAs("ann", PASSWORD), "-R", source, "--once"]);
      await leaf.stop();
      expect(artifactSet(repository)).toEqual(artifactSet(source).filter(isPublic));
      expect(await stock.ok(["test-integrity", "-R", repository])).toContain(" 0 errors");
      expect(await rebuildParity(repository, stock, "received")).toEqual([]);
    });

    test("a second sync is one round with nothing in it", async () => {
      using temp = new TempDir("leaf");
      await using leaf = await LeafProcess.start(await copyFixture(temp, stock));
      const client = await Client.of(stock, temp, "client", leaf.urlAs("alice", PASSWORD));
      for (const options of [[], [], ["--verily"], ["--httptrace"], ["--no-http-compression"]]) {
        const said = await client.say("sync", ...options);
        expect(said).toMatch(/Artifacts sent: 0 +received: 0/);
        if (options.length === 0) expect(said).toContain("Round-trips: 1 ");
        expect(said).not.toContain("Error");
      }
    });

    test("refusals are told in stock's words", async () => {
      using temp = new TempDir("leaf");
      const repository = await copyFixture(temp, stock);
      await using leaf = await LeafProcess.start(repository);
      const client = await Client.of(stock, temp, "client", leaf.url);
      const before = artifactSet(repository);
      await client.run("settings", "autosync", "off");
      temp.write("client-checkout/new.txt", "new\n");
      await client.run("add", "new.txt");
      await client.run("commit", "-m", "Not welcome", "--no-warnings");
      expect(await client.say("push", leaf.urlAs("bob", "wrong"), "--once")).toContain("Error: login failed");
      expect(await client.say("push", leaf.url, "--once")).toContain("Error: not authorized to write");
      const other = temp.join("other.fossil");
      await stock.ok(["init", other]);
      const pulled = await stock.run(["pull", leaf.url, "-R", other, "--once"]);
      expect(pulled.stdout + pulled.stderr).toContain("Error: wrong project");
      expect(artifactSet(repository)).toEqual(before);
    });

    test("two clients commit in turn; a foreign lock is told of", async () => {
      using temp = new TempDir("leaf");
      const repository = await copyFixture(temp, stock);
      await using leaf = await LeafProcess.start(repository);
      const bob = await Client.of(stock, temp, "bob", leaf.urlAs("bob", PASSWORD), "bob");
      const alice = await Client.of(stock, temp, "alice", leaf.urlAs("alice", PASSWORD), "alice");
      for (let turn = 0; turn < 3; turn++) {
        for (const [client, name] of [[bob, "bob"] as const, [alice, "alice"] as const]) {
          await client.run("update");
          temp.write(`${name}-checkout/turn.txt`, `${name} in turn ${turn}\n`.repeat(turn + 1));
          await client.run("addremove");
          await client.run("commit", "-m", `${name} ${turn}`, "--no-warnings");
        }
      }
      await bob.run("update");
      const tip = /^hash: +([0-9a-f]{40})/m.exec(await bob.run("info", "current"))![1]!;
      const name = `(SELECT 'ci-lock-' || uuid FROM blob WHERE uuid GLOB '${tip}*')`;
      const holder = `json_object('login', 'someone', 'clientid', '${"a".repeat(40)}')`;
      const sql = `REPLACE INTO config(name, value, mtime) VALUES(${name}, ${holder}, strftime('%s'))`;
      await stock.ok(["sql", sql, "-R", repository]);
      temp.write("bob-checkout/turn.txt", "raced\n");
      expect(await bob.say("commit", "-m", "raced", "--no-warnings")).toContain(
        "Might fork due to a check-in race",
      );
    });

    test("large artifacts and many files, both ways", async () => {
      using temp = new TempDir("leaf");
      const repository = await copyFixture(temp, stock);
      await using leaf = await LeafProcess.start(repository);
      const client = await Client.of(stock, temp, "client", leaf.urlAs("alice", PASSWORD));
      const noise = new Uint8Array(25_000_000);
      for (let i = 0, state = 1; i < noise.length; i++) {
        state = (state * 1_103_515_245 + 12_345) & 0x7fffffff;
        noise[i] = state >> 16;
      }
      temp.write("client-checkout/large.bin", noise);
      for (let i = 0; i < 1500; i++) temp.write(`client-checkout/lots/${i}.txt`, `file ${i}\n`);
      await client.run("addremove");
      await client.run("commit", "-m", "Large and many", "--no-warnings");
      expect(artifactSet(repository).length).toBeGreaterThan(1500);
      const clone = temp.join("clone.fossil");
      await stock.ok(["clone", leaf.url, clone, "--no-open"]);
      expect(artifactSet(clone)).toEqual(artifactSet(repository).filter(isPublic));
      const pulled = temp.join("pulled.fossil");
      const code = /project-code: +([0-9a-f]{40})/.exec(await client.run("info"))![1]!;
      await stock.ok(["init", pulled]);
      await stock.ok(["sql", `UPDATE config SET value='${code}' WHERE name='project-code'`, "-R", pulled]);
      await stock.ok(["pull", leaf.url, "-R", pulled, "--once"]);
      const ownStart = artifactSet(pulled).length - artifactSet(clone).length;
      expect(ownStart).toBe(1);
    });
  });
}
