/** Keys that change and tickets that are stale, between real processes without relay and directory. */
import { expect, test } from "bun:test";
import { copyFileSync, readFileSync, rmSync } from "node:fs";
import { EndpointAddr, EndpointId, EndpointTicket } from "@number0/iroh";
import { TempDir } from "../temp-dir.ts";
import { DaemonProcess } from "./daemon-process.ts";
import { edgesyncWords } from "./leaf-process.ts";
import { until } from "./nats-server.ts";
import { newestStock } from "./stock.ts";

const stock = newestStock();

async function copies(folder: TempDir, ...names: readonly string[]): Promise<string[]> {
  const files = names.map((name) => folder.join(`${name}.fossil`));
  await stock.ok(["new", files[0]!, "--admin-user", "ann"]);
  await stock.ok(["user", "capabilities", "nobody", "gio", "-R", files[0]!]);
  for (const file of files.slice(1)) copyFileSync(files[0]!, file);
  return files;
}

const leaf = (file: string, ...args: readonly string[]) =>
  DaemonProcess.start("leaf", "--repo", file, "--iroh", "--iroh-relay", "disabled", "--poll", "1h", ...args);

const idOf = ({ addresses }: DaemonProcess) => addresses["irohId"]!;
const ticketOf = ({ addresses }: DaemonProcess) => addresses["irohTicket"]!;

async function run(...words: readonly string[]): Promise<string> {
  const child = Bun.spawn([...edgesyncWords(), ...words], { stdout: "pipe", stderr: "ignore" });
  return new Response(child.stdout).text();
}

/** How many peers are there. */
async function presentCount(file: string): Promise<number> {
  return JSON.parse(await run("peers", "--json", "-R", file)).length;
}

const converge = (files: readonly string[]) =>
  until(async () => {
    const listed = files.map((file) =>
      stock.ok(["sql", "-R", file, "SELECT uuid FROM blob WHERE size>=0 ORDER BY 1"]),
    );
    return new Set(await Promise.all(listed)).size === 1;
  }, "all to have the same artifacts");

test("a key that was replaced: a stranger, until it is allowed", async () => {
  using folder = new TempDir("iroh-key");
  const [a, b] = (await copies(folder, "a", "b")) as [string, string];
  const old = await leaf(b);
  await using first = await leaf(a, "--iroh-peer", ticketOf(old));
  await run("peers", "allow", idOf(first), "-R", b);
  await until(async () => (await presentCount(a)) === 1, "the peer to be there");
  await old.stop();
  const key = readFileSync(`${b}.iroh-key`, "utf8");
  rmSync(`${b}.iroh-key`);

  await using renewed = await leaf(b, "--iroh-peer", ticketOf(first));
  expect(idOf(renewed)).not.toBe(idOf(old));
  await until(() => first.stderr.includes(`"iroh endpoint not allowed","id":"${idOf(renewed)}"`), "refusal");
  await until(() => renewed.stderr.includes("does not allow this endpoint"), "to be told of it");
  await stock.ok(["wiki", "create", "News", "-", "-R", a, "--user", "ann"], { input: "hear" });
  expect(await presentCount(b)).toBe(0);

  await run("peers", "allow", idOf(renewed), "-R", a);
  await converge([a, b]);
  expect(await presentCount(b)).toBe(1);
  expect(first.stderr + renewed.stderr).not.toContain(key.trim());
});

test("a stale ticket: its peer is found when another passes on where it is", async () => {
  using folder = new TempDir("iroh-stale");
  const files = await copies(folder, "a", "b", "c");
  const [a, b, c] = files as [string, string, string];
  // A hub waits for others, who have to find it.
  await using far = await leaf(b, "--iroh-allow", "any", "--role", "hub");
  await using middle = await leaf(c, "--iroh-allow", "any", "--iroh-peer", ticketOf(far));
  const nowhere = new EndpointAddr(EndpointId.fromString(idOf(far)), null, ["127.0.0.1:9"]);
  const stale = EndpointTicket.fromAddr(nowhere).toString();
  await using near = await leaf(a, "--iroh-peer", stale, "--iroh-peer", ticketOf(middle));
  await until(() => near.stderr.includes(`by another way","id":"${idOf(far)}"`), "a link in reserve");
  // The reserve is used when the way by which its address was heard is gone.
  await middle.stop();
  await until(() => near.stderr.includes(`"iroh peer linked","id":"${idOf(far)}"`), "the link to be used");
  await stock.ok(["wiki", "create", "News", "-", "-R", b, "--user", "ann"], { input: "hear" });
  await converge([a, b]);
});
