/** Real processes on iroh, by direct addresses: no relay, no directory. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { copyFileSync, existsSync, statSync, writeFileSync } from "node:fs";
import { TempDir } from "../temp-dir.ts";
import { DaemonProcess } from "./daemon-process.ts";
import { edgesyncWords } from "./leaf-process.ts";
import { until } from "./nats-server.ts";
import { newestStock } from "./stock.ts";

const stock = newestStock();
const DIRECT = ["--iroh-relay", "disabled"];
let folder: TempDir;
let project: string;

beforeEach(async () => {
  folder = new TempDir("iroh");
  project = folder.join("project.fossil");
  await stock.ok(["new", project, "--admin-user", "ann"]);
  await stock.ok(["user", "capabilities", "nobody", "gio", "-R", project]);
});

afterEach(() => folder.remove());

const leaf = (file: string, ...args: readonly string[]) =>
  DaemonProcess.start("leaf", "--repo", file, "--iroh", ...DIRECT, ...args);

interface Said {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(...words: readonly string[]): Promise<Said> {
  const child = Bun.spawn([...edgesyncWords(), ...words], {
    stdout: "pipe",
    stderr: "pipe",
    stdin: "ignore",
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { status: await child.exited, stdout, stderr };
}

async function artifacts(file: string): Promise<string> {
  return stock.ok(["sql", "-R", file, "SELECT uuid FROM blob WHERE size>=0 ORDER BY 1"]);
}

describe("commands", () => {
  test("clone and pull by a ticket, once the key is allowed", async () => {
    await using server = await leaf(project);
    const source = `iroh:${server.addresses["irohTicket"]}`;
    const copy = folder.join("copy.fossil");
    const refused = await run("repo", "clone", source, copy, "--user", "ann", ...DIRECT);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain("does not allow this endpoint");
    expect(existsSync(copy)).toBe(false);
    const id = /peers allow (\S+)/.exec(refused.stderr)![1]!;
    expect(statSync(`${copy}.iroh-key`).mode & 0o777).toBe(0o600);

    expect(await run("peers", "allow", id, "-R", project)).toMatchObject({
      status: 0,
      stdout: `allowed ${id}\n`,
    });
    expect(await run("repo", "clone", source, copy, "--user", "ann", ...DIRECT)).toMatchObject({ status: 0 });
    expect(await artifacts(copy)).toBe(await artifacts(project));
    expect(await stock.ok(["test-integrity", "-R", copy])).toMatch(/\b0 errors/);

    const add = ["wiki", "create", "News", "-", "-R", project, "--user", "ann"];
    await stock.ok(add, { input: "hear, hear" });
    expect(await run("sync", "pull", "-R", copy, ...DIRECT)).toMatchObject({ status: 0 });
    expect(await artifacts(copy)).toBe(await artifacts(project));

    expect(await run("peers", "deny", id, "-R", project)).toMatchObject({
      status: 0,
      stdout: `denied ${id}\n`,
    });
    expect((await run("sync", "pull", "-R", copy, ...DIRECT)).status).toBe(1);
    expect(server.stderr).not.toContain(await Bun.file(`${project}.iroh-key`).text());
  });

  test("the running leaf tells its ticket, and its id stays", async () => {
    const first = await leaf(project);
    const ticket = await run("peers", "ticket", "-R", project);
    expect(ticket).toMatchObject({ status: 0, stdout: `${first.addresses["irohTicket"]}\n` });
    const id = first.addresses["irohId"];
    expect(await first.stop()).toBe(0);
    await using second = await leaf(project);
    expect(second.addresses["irohId"]).toBe(id!);
  });
});

describe("a relay of one's own", () => {
  test("is asked with the token; whether it is down or the endpoint hangs is told apart", async () => {
    const asked = new Set<string>();
    // It answers, but relays nothing.
    await using relay = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch(request) {
        asked.add(`${new URL(request.url).pathname} ${request.headers.get("authorization")}`);
        return new Response();
      },
    });
    const token = folder.join("token");
    writeFileSync(token, "secret-token\n", { mode: 0o600 });
    const copy = folder.join("copy.fossil");
    copyFileSync(project, copy);
    const start = (file: string, url: string, ...args: readonly string[]) =>
      DaemonProcess.start("leaf", "--repo", file, "--iroh", "--iroh-relay", url, ...args);
    await using hanging = await start(
      project,
      `http://127.0.0.1:${relay.port}`,
      "--iroh-relay-token-file",
      token,
    );
    await using alone = await start(copy, "http://127.0.0.1:9");
    await until(() => hanging.stderr.includes("iroh endpoint has lost its relay"), "the endpoint to hang");
    await until(() => alone.stderr.includes("iroh relay of this leaf is down"), "the relay to be down");
    expect(asked).toContain("/relay Bearer secret-token");
    expect((await run("status", "-R", project)).stdout).toMatch(
      /relay http\S+, which answers, but not connected/,
    );
    expect((await run("status", "-R", copy)).stdout).toMatch(/relay http\S+, which does not answer/);
    expect(hanging.stderr).not.toContain("secret-token");
  });
});
