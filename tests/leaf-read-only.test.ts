import { describe, expect, test } from "bun:test";
import { chmodSync } from "node:fs";
import { systemClock } from "../src/clock.ts";
import { systemRandom } from "../src/random.ts";
import { Repo } from "../src/repo.ts";
import { addInitialCheckIn } from "../src/repo-checkin.ts";
import { TempDir } from "./temp-dir.ts";

const deps = { clock: systemClock, random: systemRandom };

/** A leaf of a process that is not root, what it says and how it answers `messages`. */
async function unprivileged(path: string, messages: readonly string[]): Promise<Record<string, unknown>> {
  const module = (name: string) => JSON.stringify(new URL(`../src/${name}.ts`, import.meta.url).pathname);
  const script = `
    const { startLeaf } = await import(${module("leaf")});
    const { inlineThreads } = await import(${module("leaf-repositories")});
    const { silentLogger } = await import(${module("log")});
    const { systemClock: clock } = await import(${module("clock")});
    const { systemRandom: random } = await import(${module("random")});
    if (process.getuid() === 0) { process.setgid(65534); process.setuid(65534); }
    const warnings = [];
    const log = { ...silentLogger, warn: (message) => warnings.push(message) };
    const deps = { clock, random, log, threads: inlineThreads({ clock, random }) };
    try {
      const http = { host: "127.0.0.1", port: 0 };
      const leaf = await startLeaf({ source: { file: ${JSON.stringify(path)} }, http, version: "test" }, deps);
      const headers = { "Content-Type": "application/x-fossil-debug" };
      const replies = [];
      for (const body of ${JSON.stringify(messages)}) {
        replies.push(await (await fetch(leaf.httpUrl, { method: "POST", body, headers })).text());
      }
      const page = await (await fetch(leaf.httpUrl)).text();
      await leaf.stop();
      console.log(JSON.stringify({ replies, page, warning: warnings[0] }));
    } catch (error) { console.log(JSON.stringify({ code: error.code, message: error.message, hint: error.hint })); }`;
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" });
  return JSON.parse(await new Response(child.stdout).text());
}

function makeRepository(path: string): string {
  const initialize = (repo: Repo) => {
    addInitialCheckIn(repo, "ann");
    repo.users.setCapabilities("nobody", "gioz");
  };
  const repo = Repo.create(path, { ...deps, user: "ann", initialize });
  const code = repo.config.projectCode!;
  repo.close();
  return code;
}

const VERSION = "pragma client-version 22900 20260821 165942\n";

describe.skipIf(process.platform === "win32")("a repository that cannot be written", () => {
  for (const [what, fileMode] of [
    ["by the permissions of the file", 0o444],
    ["by those of its folder", 0o644],
  ] as const) {
    test(`${what}, is cloned and pulled from, and a push is told why not`, async () => {
      using dir = new TempDir("read-only");
      const path = dir.join("kept.fossil");
      const code = makeRepository(path);
      chmodSync(path, fileMode);
      chmodSync(dir.path, 0o555);
      const hash = "a".repeat(40);
      const { replies, page, warning, ...failure } = await unprivileged(path, [
        `${VERSION}clone 3 1\n`,
        `${VERSION}pull x ${code}\n`,
        `${VERSION}push x ${code}\nigot ${hash}\n`,
        `${VERSION}pull x ${code}\n`,
      ]);
      chmodSync(dir.path, 0o755);
      expect(failure).toEqual({});
      const [clone, pull, push, again] = replies as string[];
      expect(clone).toContain("clone_seqno 0\n");
      expect(pull).toContain("igot ");
      expect(push).toContain("error the\\srepository\\scannot\\sbe\\swritten\\son\\sthe\\sserver");
      expect(again).toContain("igot ");
      expect(page).toContain("<h1>kept</h1>");
      expect(warning).toBe("the repository cannot be written: it is served read-only");
    });
  }

  test("with commits in a journal, is not served, and says what to do", async () => {
    using dir = new TempDir("read-only");
    const path = dir.join("kept.fossil");
    makeRepository(path);
    const writer = Repo.open(path, { mode: "write", ...deps });
    writer.config.set("something", "new");
    const copy = dir.folder("copy");
    for (const suffix of ["", "-wal"]) {
      await Bun.write(`${copy}/kept.fossil${suffix}`, Bun.file(path + suffix));
      chmodSync(`${copy}/kept.fossil${suffix}`, 0o444);
    }
    writer.close();
    chmodSync(copy, 0o555);
    chmodSync(dir.path, 0o755);
    const failure = await unprivileged(`${copy}/kept.fossil`, []);
    chmodSync(copy, 0o755);
    expect(failure).toEqual({
      code: "repo-unrecovered",
      message: `${copy}/kept.fossil has commits in a journal, and its folder cannot be written`,
      hint: "open it once where it can be written, with any fossil or edgesync command",
    });
  });
});
