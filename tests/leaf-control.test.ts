import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { systemClock } from "../src/clock.ts";
import { NameError } from "../src/errors.ts";
import { type ControlRoutes, type LeafControl, startControl } from "../src/leaf-control.ts";
import { callLeaf, findLeaf } from "../src/leaf-control-client.ts";
import { type ControlFile, controlFilePath, readControlFile } from "../src/leaf-control-file.ts";
import { CONTROL_BODY_MAX_BYTES, CONTROL_FILE_MAX_BYTES, CONTROL_REQUEST_MAX_COUNT } from "../src/limits.ts";
import { systemRandom } from "../src/random.ts";
import { TempDir } from "./temp-dir.ts";

/** A file that stands for a repository, and a control server for it. */
class Controlled implements AsyncDisposable {
  private constructor(
    readonly dir: TempDir,
    readonly repository: string,
    readonly control: LeafControl,
  ) {}

  static async start(routes: ControlRoutes = {}, before?: (repository: string) => void): Promise<Controlled> {
    const dir = new TempDir("control");
    const repository = dir.write("x.fossil", "");
    before?.(repository);
    const control = await startControl(repository, routes, { clock: systemClock, random: systemRandom });
    return new Controlled(dir, repository, control);
  }

  get file(): ControlFile {
    return readControlFile(this.repository)!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.control.stop();
    this.dir.remove();
  }
}

describe("the file", () => {
  test("is for its owner alone, and goes with the leaf", async () => {
    await using leaf = await Controlled.start();
    const path = controlFilePath(leaf.repository);
    expect(path).toBe(`${leaf.repository}.leaf.json`);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(findLeaf(leaf.repository)).toEqual(leaf.file);
    expect(leaf.file.pid).toBe(process.pid);
    await leaf.control.stop();
    expect(existsSync(path)).toBe(false);
    expect(findLeaf(leaf.repository)).toBeUndefined();
  });

  test("is found through a link to the repository", async () => {
    await using leaf = await Controlled.start();
    const link = leaf.dir.join("link.fossil");
    symlinkSync(leaf.repository, link);
    expect(findLeaf(link)).toEqual(leaf.file);
  });

  test("a second leaf is refused while the first answers", async () => {
    await using leaf = await Controlled.start();
    const second = startControl(leaf.repository, {}, { clock: systemClock, random: systemRandom });
    expect(second).rejects.toThrow(`process id ${process.pid} keeps`);
    await second.catch(() => {});
    expect(await callLeaf(leaf.file, "GET /ping")).toEqual({ pid: process.pid });
  });

  const token = "0".repeat(64);
  const nobody = Bun.spawnSync(["true"]).pid;
  const left: readonly [what: string, content: string][] = [
    ["of a process that is no more", JSON.stringify({ pid: nobody, url: "http://127.0.0.1:1/", token })],
    ["of another process", JSON.stringify({ pid: process.pid, url: "http://127.0.0.1:1/", token })],
    ["empty", ""],
    ["no JSON", "{"],
    [
      "that sends the token elsewhere",
      JSON.stringify({ pid: process.pid, url: "http://192.0.2.1:1/", token }),
    ],
    ["too long", `${" ".repeat(CONTROL_FILE_MAX_BYTES)}{}`],
  ];
  test.each(left)("one %s gives way", async (_what, content) => {
    await using leaf = await Controlled.start({}, (repository) =>
      writeFileSync(controlFilePath(repository), content),
    );
    expect(await callLeaf(leaf.file, "GET /ping")).toEqual({ pid: process.pid });
  });

  test("one that another leaf has made meanwhile stays", async () => {
    await using leaf = await Controlled.start();
    const path = controlFilePath(leaf.repository);
    const other = JSON.stringify({ ...leaf.file, token });
    writeFileSync(path, other);
    await leaf.control.stop();
    expect(readFileSync(path, "utf8")).toBe(other);
  });
});

describe("the server", () => {
  test("answers routes with what they return or throw", async () => {
    await using leaf = await Controlled.start({
      "GET /status": () => ({ well: true }),
      "POST /echo": (input) => input,
      "POST /fail": () => {
        throw new NameError("no-such-peer", "nobody", { hint: "look again" });
      },
    });
    expect(await callLeaf(leaf.file, "GET /status")).toEqual({ well: true });
    expect(await callLeaf(leaf.file, "POST /echo", { input: { a: [1] } })).toEqual({ a: [1] });
    const failed = callLeaf(leaf.file, "POST /fail");
    expect(failed).rejects.toMatchObject({ code: "no-such-peer", message: "nobody", hint: "look again" });
    await failed.catch(() => {});
    expect(callLeaf(leaf.file, "GET /nothing")).rejects.toThrow("no such route");
    const form = await fetch(new URL("/echo", leaf.file.url), {
      method: "POST",
      headers: { Authorization: `Bearer ${leaf.file.token}` },
      body: "a=b",
    });
    expect([form.status, await form.text()]).toEqual([400, expect.stringContaining("not JSON")]);
  });

  test("knows its token and no other", async () => {
    await using leaf = await Controlled.start({ "GET /status": () => "secret" });
    const { url, token } = leaf.file;
    const wrong = [undefined, "", "Bearer", `Bearer ${token}0`, `Bearer ${token.slice(1)}`, `Basic ${token}`];
    for (const authorization of wrong) {
      const headers = authorization === undefined ? {} : { Authorization: authorization };
      const reply = await fetch(new URL("/status", url), { headers });
      expect([reply.status, await reply.text()]).toEqual([401, expect.not.stringContaining("secret")]);
    }
  });

  test("listens on the loopback address only", async () => {
    await using leaf = await Controlled.start();
    expect(new URL(leaf.file.url).hostname).toBe("127.0.0.1");
  });

  test("takes bodies up to its bound", async () => {
    await using leaf = await Controlled.start({ "POST /size": (input) => (input as string).length });
    const most = CONTROL_BODY_MAX_BYTES - 2;
    expect(await callLeaf(leaf.file, "POST /size", { input: "x".repeat(most) })).toBe(most);
    expect(callLeaf(leaf.file, "POST /size", { input: "x".repeat(most + 1) })).rejects.toThrow();
  });

  test("answers so many requests at once, and no more", async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    await using leaf = await Controlled.start({ "GET /wait": () => promise });
    const calls = Array.from({ length: CONTROL_REQUEST_MAX_COUNT }, () => callLeaf(leaf.file, "GET /wait"));
    // One after the other, so that this one is the last to arrive.
    for (let isFull = false; !isFull; ) {
      isFull = await callLeaf(leaf.file, "GET /ping").then(
        () => false,
        (error: Error) => error.message.includes("too many"),
      );
    }
    resolve("done");
    expect(new Set(await Promise.all(calls))).toEqual(new Set(["done"]));
    expect(await callLeaf(leaf.file, "GET /ping")).toEqual({ pid: process.pid });
  });

  test("a call can be given up", async () => {
    await using leaf = await Controlled.start({ "GET /wait": () => Bun.sleep(60_000) });
    const controller = new AbortController();
    const call = callLeaf(leaf.file, "GET /wait", { signal: controller.signal });
    controller.abort(new Error("enough"));
    expect(call).rejects.toThrow("enough");
    await call.catch(() => {});
  });
});
