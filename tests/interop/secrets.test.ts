/** What passwords leave behind: nothing in logs, errors, metrics, files for others, or the list of processes. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { cliEnv } from "../cli-process.ts";
import { TempDir } from "../temp-dir.ts";
import { copyFixture } from "./fixture.ts";
import { edgesyncWords, LeafProcess } from "./leaf-process.ts";
import { newestStock } from "./stock.ts";

const SECRET = "s3cr3t-pa55word";
const WRONG = "wr0ng-pa55word";

test("a password is in no log, error, metric, process list or readable file", async () => {
  using temp = new TempDir("secrets");
  const stock = newestStock();
  const served = await copyFixture(temp, stock);
  await stock.ok(["user", "new", "eve", "", SECRET, "-R", served]);
  await stock.ok(["user", "capabilities", "eve", "gio", "-R", served]);
  await using leaf = await LeafProcess.start(served, ["--log-level", "debug"]);
  const client = temp.join("client.fossil");
  let said = "";
  let listed = "";
  const run = async (password: string, ...words: string[]): Promise<number> => {
    const env = cliEnv({ EDGESYNC_PASSWORD: password, HOME: temp.path });
    const child = Bun.spawn([...edgesyncWords(), ...words], {
      env,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const look = setInterval(() => {
      for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
        try {
          listed += readFileSync(`/proc/${pid}/cmdline`, "latin1");
        } catch {
          // It has ended meanwhile.
        }
      }
    }, 20);
    said += (await new Response(child.stdout).text()) + (await new Response(child.stderr).text());
    const code = await child.exited;
    clearInterval(look);
    return code;
  };
  const url = leaf.urlAs("eve", "").replace(":@", "@");
  expect(await run(SECRET, "repo", "clone", url, client)).toBe(0);
  expect(await run(SECRET, "sync", "push", url, "-R", client)).toBe(0);
  expect(await run(WRONG, "sync", "push", url, "-R", client)).not.toBe(0);
  // In an address, which whoever starts the program shows to the list of processes of their own accord.
  expect(await run("", "sync", "push", leaf.urlAs("eve", WRONG), "-R", client, "--json")).not.toBe(0);
  expect(
    await run("", "sync", "push", leaf.urlAs("eve", WRONG).replace(/:\d+$/, ":1"), "-R", client),
  ).not.toBe(0);
  const metrics = await (await fetch(`${leaf.url}/metrics`)).text();
  for (const password of [SECRET, WRONG]) {
    for (const [what, text] of Object.entries({ said, logged: leaf.stderr, metrics })) {
      expect({ what, isTold: text.includes(password) }).toEqual({ what, isTold: false });
    }
  }
  expect(listed.length).toBeGreaterThan(0);
  expect(listed.includes(SECRET)).toBe(false);
  for (const name of readdirSync(temp.path)) {
    if (!name.endsWith(".leaf.json")) continue;
    expect(statSync(temp.join(name)).mode & 0o077).toBe(0);
  }
}, 60_000);
