/** What passwords leave behind: nothing in logs, errors, metrics, files for others, or the list of processes. */
import { expect, test } from "bun:test";
import { copyFileSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { atEnd } from "../at-end.ts";
import { cliEnv } from "../cli-process.ts";
import { TempDir } from "../temp-dir.ts";
import { DaemonProcess } from "./daemon-process.ts";
import { copyFixture } from "./fixture.ts";
import { edgesyncWords, LeafProcess } from "./leaf-process.ts";
import { until } from "./nats-server.ts";
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

test("secrets of NATS and tokens of a leaf are in no log, state, page or process list", async () => {
  using temp = new TempDir("secrets");
  const stock = newestStock();
  const hosted = temp.join("hosted.fossil");
  await stock.ok(["new", hosted, "--admin-user", "ann"]);
  const joining = temp.join("joining.fossil");
  copyFileSync(hosted, joining);
  const auth = temp.join("auth");
  writeFileSync(auth, `eve:${SECRET}\n`, { mode: 0o600 });
  await using host = await DaemonProcess.start(
    ...["leaf", "--repo", hosted, "--serve-http", "127.0.0.1:0", "--log-level", "debug"],
    ...["--nats-listen", "127.0.0.1:0", "--nats-monitor", "127.0.0.1:0", "--nats-auth", `@${auth}`],
  );
  const port = new URL(host.addresses["nats"]!).port;
  const words = ["leaf", "--repo", joining, "--serve-http", "127.0.0.1:0", "--log-level", "debug"];
  const joined = (password: string) => {
    // By the environment: words are for everybody to see.
    const env = { ...process.env, EDGESYNC_NATS: `nats://eve:${password}@127.0.0.1:${port}` };
    const child = Bun.spawn([...edgesyncWords(), ...words], {
      env,
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    atEnd(() => child.kill("SIGKILL"));
    const heard = { said: "" };
    const reading = (async () => {
      for await (const part of child.stderr) heard.said += new TextDecoder().decode(part);
    })();
    return {
      pid: child.pid,
      heard,
      end: async () => {
        child.kill("SIGTERM");
        await child.exited;
        await reading;
        return heard.said;
      },
    };
  };
  const ask = async (file: string, ...command: string[]) =>
    new Response(
      Bun.spawn([...edgesyncWords(), ...command, "-R", file], { stdout: "pipe", stderr: "ignore" }).stdout,
    ).text();
  const pages = async (url: string, ...names: string[]) =>
    (await Promise.all(names.map(async (name) => (await fetch(new URL(name, url))).text()))).join("\n");
  const token = (file: string): string => JSON.parse(readFileSync(`${file}.leaf.json`, "utf8")).token;

  const right = joined(SECRET);
  await until(() => existsSync(`${joining}.leaf.json`), "the leaf to run");
  await until(async () => JSON.parse(await ask(hosted, "peers", "--json")).length > 0, "it to be heard of");
  const state = (await ask(joining, "status", "--json")) + (await ask(joining, "peers", "--json"));
  const tokens = [token(hosted), token(joining)];
  const listed = [host.pid, right.pid]
    .map((pid) => readFileSync(`/proc/${pid}/cmdline`, "latin1"))
    .join("\n");
  const monitored = await pages(host.addresses["natsMonitor"]!, "varz", "connz", "subsz", "leafz");
  const page = await pages(host.addresses["http"]!, "", "healthz", "readyz", "metrics");
  const said = await right.end();
  const wrong = joined(WRONG);
  await until(() => /authori[sz]ation/i.test(wrong.heard.said), "the wrong password to be refused");
  const refused = await wrong.end();
  const told = { state, listed, monitored, page, said, refused, host: host.stderr };
  for (const [what, text] of Object.entries(told)) {
    expect({ what, isThere: text.length > 0 }).toEqual({ what, isThere: true });
    for (const secret of [SECRET, WRONG, ...tokens])
      expect({ what, secret, isTold: text.includes(secret) }).toEqual({ what, secret, isTold: false });
  }
}, 60_000);
