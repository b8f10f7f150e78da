import { afterEach, describe, expect, test } from "bun:test";
import { renameSync } from "node:fs";
import { utf8 } from "../src/bytes.ts";
import { systemClock } from "../src/clock.ts";
import { Db } from "../src/db.ts";
import { type Leaf, startLeaf } from "../src/leaf.ts";
import { inlineThreads } from "../src/leaf-repositories.ts";
import { silentLogger } from "../src/log.ts";
import { systemRandom } from "../src/random.ts";
import { Repo } from "../src/repo.ts";
import { addInitialCheckIn } from "../src/repo-checkin.ts";
import { PROTOCOL_VERSION } from "../src/sync-version.ts";
import { MessageWriter } from "../src/xfer-format.ts";
import { CONTENT_TYPES } from "../src/xfer-message.ts";
import { TempDir } from "./temp-dir.ts";

const deps = { clock: systemClock, random: systemRandom };
const leaves: Leaf[] = [];

afterEach(async () => {
  for (const leaf of leaves.splice(0)) await leaf.stop();
});

function makeRepository(path: string, projectName: string): string {
  const repo = Repo.create(path, {
    ...deps,
    user: "ann",
    password: "secret",
    projectName,
    initialize: (created) => addInitialCheckIn(created, "ann"),
  });
  const code = repo.config.get("project-code")!;
  repo.close();
  return code;
}

async function start(source: { file: string } | { directory: string }, inline = true): Promise<string> {
  const leaf = await startLeaf(
    { source, http: { host: "127.0.0.1", port: 0 }, version: "test" },
    { ...deps, log: silentLogger, ...(inline && { threads: inlineThreads(deps) }) },
  );
  leaves.push(leaf);
  return leaf.httpUrl!;
}

function message(...cards: Parameters<MessageWriter["card"]>[0][]): Uint8Array<ArrayBuffer> {
  const writer = new MessageWriter();
  for (const card of cards) writer.card(card);
  return writer.finish();
}

async function ask(url: string, body: Uint8Array<ArrayBuffer>): Promise<string> {
  const headers = { "Content-Type": CONTENT_TYPES.debug };
  return (await fetch(url, { method: "POST", body, headers })).text();
}

const clonePage = message(
  { type: "pragma client-version", ...PROTOCOL_VERSION },
  { type: "clone", protocol: 3, sequence: 1 },
);

describe("pages", () => {
  test("a browser is told the project's name and how to clone it", async () => {
    using dir = new TempDir("leaf");
    const code = makeRepository(dir.join("a.fossil"), "Rock & <Roll>");
    const url = await start({ file: dir.join("a.fossil") });
    const reply = await fetch(`${url}any/path`);
    const page = await reply.text();
    expect(reply.headers.get("content-type")).toContain("text/html");
    expect(page).toContain("<h1>Rock &amp; &lt;Roll&gt;</h1>");
    expect(page).toContain(`fossil clone ${url} Rock-Roll.fossil`);
    expect(page).toContain(code);
  });

  test("a closed repository asks for a login in the clone line", async () => {
    using dir = new TempDir("leaf");
    makeRepository(dir.join("a.fossil"), "Closed");
    const repo = Repo.open(dir.join("a.fossil"), { mode: "write", ...deps });
    repo.users.setCapabilities("nobody", "");
    repo.close();
    const url = await start({ file: dir.join("a.fossil") });
    expect(await (await fetch(url)).text()).toContain(`fossil clone ${url.replace("://", "://USER@")} `);
  });

  test("health, readiness and metrics", async () => {
    using dir = new TempDir("leaf");
    makeRepository(dir.join("a.fossil"), "A");
    const url = await start({ file: dir.join("a.fossil") });
    expect(await (await fetch(`${url}healthz`)).text()).toBe("ok\n");
    expect(await (await fetch(`${url}readyz`)).text()).toBe("ready\n");
    await ask(url, clonePage);
    const metrics = await (await fetch(`${url}metrics`)).text();
    expect(metrics).toContain('edgesync_requests_total{operation="clone",transport="http"} 1\n');
    expect(metrics).toContain(
      'edgesync_artifacts_total{operation="clone",transport="http",direction="sent"} 1\n',
    );
    expect(metrics).toContain(
      'edgesync_request_duration_seconds_count{operation="clone",transport="http"} 1\n',
    );
  });

  test("any other method is refused in words", async () => {
    using dir = new TempDir("leaf");
    makeRepository(dir.join("a.fossil"), "A");
    const url = await start({ file: dir.join("a.fossil") });
    expect((await fetch(url, { method: "PUT", body: "x" })).status).toBe(404);
    expect((await fetch(url, { method: "POST", body: "a=b" })).status).toBe(404);
  });
});

describe("a directory of repositories", () => {
  test("each is served at its name, and the root lists them", async () => {
    using dir = new TempDir("leaf");
    const codes = ["a", "b"].map((name) => makeRepository(dir.join(`${name}.fossil`), `Project ${name}`));
    const url = await start({ directory: dir.path });
    const root = await (await fetch(url)).text();
    expect(root).toContain('<a href="/a">a: Project a</a>');
    expect(await (await fetch(`${url}b`)).text()).toContain(`fossil clone ${url}b Project-b.fossil`);
    expect(await ask(`${url}a`, clonePage)).toContain(`push `);
    expect(await ask(`${url}a/xfer`, clonePage)).toContain(codes[0]!);
    expect(await ask(`${url}b`, clonePage)).toContain(codes[1]!);
  });

  test("one made later is served too; names that lead elsewhere are not", async () => {
    using dir = new TempDir("leaf");
    makeRepository(dir.join("outside.fossil"), "Outside");
    const url = await start({ directory: dir.folder("inside") });
    makeRepository(dir.join("inside", "late.fossil"), "Late");
    expect((await fetch(`${url}late`)).status).toBe(200);
    for (const path of ["..%2foutside", "%2e%2e/outside", "nothing", "late.fossil.fossil"]) {
      expect((await fetch(`${url}${path}`)).status).toBe(404);
    }
    const refused = await ask(`${url}nothing`, clonePage);
    expect(refused).toStartWith('error no\\srepository\\sis\\snamed\\s"nothing"\\shere\n');
  });
});

describe("trouble", () => {
  test("a damaged request gets an error card, and the next is served", async () => {
    using dir = new TempDir("leaf");
    makeRepository(dir.join("a.fossil"), "A");
    const url = await start({ file: dir.join("a.fossil") });
    const reply = await ask(url, utf8("file 0123456789012345678901234567890123456789 99\nshort"));
    expect(reply).toStartWith("error ");
    expect(await ask(url, clonePage)).toContain("clone_seqno");
  });

  test("a repository replaced by another file is served as it is now", async () => {
    using dir = new TempDir("leaf");
    makeRepository(dir.join("a.fossil"), "Before");
    makeRepository(dir.join("b.fossil"), "After");
    const url = await start({ file: dir.join("a.fossil") });
    expect(await (await fetch(url)).text()).toContain("Before");
    renameSync(dir.join("b.fossil"), dir.join("a.fossil"));
    expect(await (await fetch(url)).text()).toContain("After");
  });

  test("while another process holds the lock, reads go on and writes are told so", async () => {
    using dir = new TempDir("leaf");
    const file = dir.join("a.fossil");
    const projectCode = makeRepository(file, "A");
    const content = utf8("content\n");
    const hash = new Bun.CryptoHasher("sha3-256").update(content).digest("hex");
    const push = message(
      { type: "pragma client-version", ...PROTOCOL_VERSION },
      { type: "push", serverCode: "x", projectCode: projectCode as never },
      { type: "file", hash: hash as never, size: content.length, content },
    );
    const repo = Repo.open(file, { mode: "write", ...deps });
    repo.users.setCapabilities("nobody", "gioz");
    repo.close();
    const url = await start({ file }, false);
    const holder = Db.open(file, { mode: "write" });
    holder.exec("BEGIN IMMEDIATE");
    const pushed = ask(url, push);
    expect(await ask(url, clonePage)).toContain("clone_seqno");
    expect(await (await fetch(`${url}healthz`)).text()).toBe("ok\n");
    holder.exec("COMMIT");
    holder.close();
    // It waited in the queue, and then was carried out.
    expect(await pushed).toEndWith(" errors 0\n");
    const after = Repo.open(file, { mode: "read", ...deps });
    expect(after.content.getByHash(hash as never)).toEqual(content);
    after.close();
  });

  test("a repository that is none is refused at once", async () => {
    using dir = new TempDir("leaf");
    dir.write("a.fossil", "x".repeat(20_000));
    expect(start({ file: dir.join("a.fossil") })).rejects.toThrow("not");
    expect(start({ file: dir.join("missing.fossil") })).rejects.toThrow("missing.fossil");
  });
});
