/**
 * A life of repositories and checkouts in which every command that prints JSON has its say, for the schemas of
 * docs/schemas. Nothing is checked here but that commands succeed.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { findCommand } from "../src/cli-run.ts";
import { Db } from "../src/db.ts";
import { cli } from "./cli-process.ts";
import { LeafProcess } from "./interop/leaf-process.ts";
import { ServeHarness } from "./serve-harness.ts";
import { TempDir } from "./temp-dir.ts";

export interface Played {
  /** `repo ls`: without the program's name. */
  readonly command: string;
  readonly words: readonly string[];
  /** One, or one for each line of a stream. */
  readonly documents: readonly unknown[];
}

/** Commands of which no document is shown here, and why. */
export const NOT_PLAYED: Readonly<Record<string, string>> = {
  "repo bisect run": "prints what the command that it runs prints",
};

class Player {
  readonly played: Played[] = [];

  constructor(private readonly fixed: readonly string[]) {}

  /** Runs a command; its status must be one of `codes`. Returns what it printed, read as JSON. */
  async run(words: readonly string[], codes: readonly number[] = [0]): Promise<unknown[]> {
    const all = [...words, ...this.fixed, "--json"];
    const { code, stdout, stderr } = await cli(all);
    if (!codes.includes(code)) throw new Error(`edgesync ${all.join(" ")} ended with ${code}: ${stderr}`);
    const documents = parse(stdout);
    const { path } = await findCommand(all);
    this.played.push({ command: path.slice(1).join(" "), words, documents });
    return documents;
  }
}

function parse(stdout: string): unknown[] {
  if (stdout === "") return [];
  try {
    return [JSON.parse(stdout)];
  } catch {
    return stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
  }
}

/** Plays it all. Takes a few seconds. */
export async function playScenario(): Promise<Played[]> {
  using folder = new TempDir("json");
  const repository = folder.join("r.fossil");
  const played = [...(await playAlone(folder, repository)), ...(await playCheckout(folder, repository))];
  played.push(...(await playRemote(folder, repository)));
  return [...played, ...(await playLeaf(folder, repository))];
}

/** On the file alone. */
async function playAlone(folder: TempDir, repository: string): Promise<Played[]> {
  const bare = new Player([]);
  await bare.run(["completion", "bash"]);
  await bare.run(["completion", "zsh"]);
  await bare.run(["completion", "fish"]);
  await bare.run(["repo", "new", repository, "--project-name", "Scenario"]);
  const here = new Player(["-R", repository]);
  const tree = folder.folder("tree");
  const ci = (message: string, ...more: string[]) =>
    here.run(["repo", "ci", "-C", tree, "-m", message, ...more, "."]);
  folder.write("tree/a.txt", "one\n");
  folder.write("tree/d/b.bin", "x\0y");
  await ci("first");
  folder.write("tree/a.txt", "one\ntwo\n");
  await ci("second", "--tag", "v2");
  folder.write("tree/side", "side\n");
  await ci("a branch", "--branch", "side");
  folder.write("tree/secret", "private\n");
  await ci("hidden", "--branch", "hidden", "--private");
  const a = folder.join("tree/a.txt");

  await here.run(["repo", "info"]);
  await here.run(["repo", "timeline"]);
  await here.run(["repo", "ls"]);
  await here.run(["repo", "ls", "-l", "trunk"]);
  await here.run(["repo", "resolve", "trunk"]);
  await here.run(["repo", "finfo", "a.txt"]);
  await here.run(["repo", "descendants", "root:side"]);
  await here.run(["repo", "annotate", "a.txt", "--version", "v2"]);
  await here.run(["repo", "annotate", "a.txt", "-n", "1", "--version", "v2"]);
  await here.run(["repo", "blame", "a.txt"]);
  await here.run(["repo", "diff", "--checkin", "v2"]);
  await here.run(["repo", "diff", "--from", "root:side", "--to", "hidden", "-N"]);
  await here.run(["repo", "cat", "a.txt"]);
  await here.run(["repo", "cat", "d/b.bin"]);
  await here.run(["repo", "verify"]);
  await here.run(["repo", "rebuild"]);
  await here.run(["repo", "backup", folder.join("backup.fossil")]);
  await here.run(["repo", "hash", a]);
  await here.run(["repo", "hash", "--sha1", a]);
  await here.run(["repo", "delta", "create", a, a, "-o", folder.join("delta")]);
  await here.run(["repo", "delta", "create", a, a]);
  await here.run(["repo", "delta", "apply", a, folder.join("delta")]);
  await here.run(["repo", "extract", "--version", "trunk", "-o", folder.join("out")]);
  await here.run(["repo", "zip", "trunk", folder.join("x.zip")]);
  await here.run(["repo", "tar", "trunk", folder.join("x.tgz")]);
  await here.run(["repo", "query", "SELECT 1, 'x', NULL, 1.5, x'00'"]);
  await playSettings(here);
  await playDocuments(here, folder);

  await here.run(["repo", "private", "ls", "--all"]);
  await here.run(["repo", "deconstruct", folder.join("parts"), "-P"]);
  await bare.run(["repo", "reconstruct", folder.join("again.fossil"), folder.join("parts"), "-P"]);
  await here.run(["repo", "private", "publish", "hidden"]);
  await here.run(["repo", "private", "scrub", "--force"]);
  const [{ hash }] = (await here.run(["repo", "hash", a])) as [{ hash: string }];
  const shunned = hash ?? "0".repeat(64);
  await here.run(["repo", "shun", "add", shunned, "--comment", "why"]);
  await here.run(["repo", "shun", "ls"]);
  await here.run(["repo", "shun", "rm", shunned]);
  await here.run(["repo", "shun", "purge"]);
  await playDamaged(here, folder, repository);
  return [...bare.played, ...here.played];
}

/** On a copy with an artifact that is shunned and one that is damaged. */
async function playDamaged(here: Player, folder: TempDir, repository: string): Promise<void> {
  const damaged = folder.join("damaged.fossil");
  await cli(["repo", "backup", damaged, "-R", repository]);
  const [content] = (await here.run(["repo", "hash", folder.write("purged", "to be purged\n")])) as [
    { hash: string },
  ];
  const at = ["-R", damaged];
  const bare = new Player([]);
  await cli(["repo", "uv", "put", "x", folder.join("purged"), ...at]);
  await cli(["repo", "ci", ...at, "-C", folder.path, "-m", "to be purged", "purged"]);
  await bare.run(["repo", "shun", "add", content.hash, ...at]);
  await bare.run(["repo", "shun", "ls", ...at]);
  await bare.run(["repo", "shun", "purge", ...at]);
  const db = Db.open(damaged, { mode: "write" });
  db.exec("UPDATE blob SET content=x'00000003789c4b4a06000248011e' WHERE rid=(SELECT max(rid) FROM blob)");
  db.close();
  await bare.run(["repo", "verify", ...at], [1]);
  await bare.run(["repo", "rebuild", ...at], [1]);
  here.played.push(...bare.played);
}

async function playSettings(here: Player): Promise<void> {
  await here.run(["repo", "config", "set", "project-description", "about"]);
  await here.run(["repo", "config", "get", "project-description"]);
  await here.run(["repo", "config", "ls"]);
  await here.run(["repo", "user", "add", "bob", "--cap", "v"]);
  await here.run(["repo", "user", "update", "bob", "--info", "Bob"]);
  await here.run(["repo", "user", "ls"]);
  await here.run(["repo", "user", "caps"]);
  await here.run(["repo", "user", "caps", "bob"]);
  await here.run(["repo", "user", "rm", "bob"]);
  await here.run(["repo", "invite", "guest", "--cap", "go"]);
  await here.run(["repo", "invite", "guest2", "--ttl", "1h"]);
  await here.run(["repo", "branch", "new", "feature", "trunk"]);
  await here.run(["repo", "branch", "close", "feature"]);
  await here.run(["repo", "branch", "reopen", "feature"]);
  await here.run(["repo", "branch", "reopen", "feature"], [1]);
  await here.run(["repo", "branch", "new", "feature2", "trunk"]);
  await here.run(["repo", "branch", "close", "feature2"]);
  await here.run(["repo", "branch", "close", "feature2"], [1]);
  await here.run(["repo", "branch", "ls", "--all"]);
  await here.run(["repo", "tag", "add", "v1", "trunk"]);
  await here.run(["repo", "tag", "add", "note", "trunk", "text", "--raw"]);
  await here.run(["repo", "tag", "ls"]);
  await here.run(["repo", "tag", "ls", "trunk", "--raw"]);
  await here.run(["repo", "tag", "cancel", "v1", "trunk"]);
  await here.run(["repo", "amend", "trunk", "--comment", "another"]);
  await here.run(["repo", "amend", "trunk", "--dry-run", "--comment", "third"]);
  await here.run(["repo", "schema", "add", "things", "--columns", "id:text:pk,n:integer,j:json,b:blob"]);
  await here.run(["repo", "schema", "put", "things", "id=a", "n=1", 'j={"x":[1]}', "b=00"]);
  await here.run(["repo", "schema", "put", "things", "id=a", "n=2", "--date-override", "2000-01-01"], [1]);
  await here.run(["repo", "schema", "rows", "things"]);
  await here.run(["repo", "schema", "delete", "things", "id=a"]);
  await here.run(["repo", "schema", "rows", "things", "--all"]);
  await here.run(["repo", "schema", "list"]);
  await here.run(["repo", "schema", "show", "things"]);
  await here.run(["repo", "schema", "remove", "things", "--force"]);
}

async function playDocuments(here: Player, folder: TempDir): Promise<void> {
  const note = folder.write("note", "some text\n");
  await here.run(["repo", "uv", "put", "file.txt", note]);
  await here.run(["repo", "uv", "ls"]);
  await here.run(["repo", "uv", "get", "file.txt"]);
  await here.run(["repo", "uv", "touch", "file.txt"]);
  await here.run(["repo", "uv", "delete", "file.txt"]);
  await here.run(["repo", "uv", "ls", "--all"]);
  await here.run(["repo", "wiki", "create", "Home", note]);
  await here.run(["repo", "wiki", "commit", "Home", note, "-M", "markdown"]);
  await here.run(["repo", "wiki", "ls"]);
  await here.run(["repo", "wiki", "export", "Home"]);
  await here.run(["repo", "wiki", "export", "Home", folder.join("home")]);
  const [ticket] = (await here.run(["repo", "ticket", "new", "title", "Some bug", "status", "Open"])) as [
    { id: string },
  ];
  await here.run(["repo", "ticket", "set", ticket.id, "status", "Closed"]);
  await here.run(["repo", "ticket", "ls"]);
  await here.run(["repo", "ticket", "show", ticket.id]);
  await here.run(["repo", "ticket", "fields"]);
  const [made] = (await here.run(["repo", "technote", "new", "A note", note, "--tag", "t"])) as [
    { id: string },
  ];
  await here.run(["repo", "technote", "edit", made.id, note]);
  await here.run(["repo", "technote", "ls"]);
  await here.run(["repo", "technote", "show", made.id]);
  await here.run(["repo", "attach", note, "--ticket", ticket.id]);
  await here.run(["repo", "attach", "--ticket", ticket.id]);
  await here.run(["repo", "attach", "--ticket", ticket.id, "--remove", "note"]);
  await here.run(["repo", "ticket", "history", ticket.id]);
  await here.run(["repo", "timeline"]);
  await here.run(["repo", "search", "--reindex"]);
  await here.run(["repo", "search", "text"]);
  await here.run(["repo", "search", "one"]);
}

/** In a checkout. */
async function playCheckout(folder: TempDir, repository: string): Promise<Played[]> {
  const tree = folder.folder("checkout");
  const file = (name: string, content: string) => writeFileSync(`${tree}/${name}`, content);
  const opening = new Player(["-C", tree, "-R", repository]);
  await opening.run(["repo", "open", "trunk"]);
  const inside = new Player(["-C", tree]);
  file("a.txt", "one\ntwo\nthree\n");
  file("new.txt", "new\n");
  file("extra.txt", "extra\n");
  await inside.run(["repo", "add", `${tree}/new.txt`]);
  await inside.run(["repo", "add", `${tree}/new.txt`]);
  await inside.run(["repo", "status"]);
  await inside.run(["repo", "changes"]);
  await inside.run(["repo", "extras"]);
  await inside.run(["repo", "ls"]);
  await inside.run(["repo", "diff"]);
  await inside.run(["repo", "stash", "snapshot", "-m", "snap"]);
  await inside.run(["repo", "stash", "save", "-m", "saved"]);
  await inside.run(["repo", "stash", "ls"]);
  await inside.run(["repo", "stash", "ls", "-v"]);
  await inside.run(["repo", "stash", "rename", "1", "renamed"]);
  await inside.run(["repo", "stash", "show"]);
  await inside.run(["repo", "stash", "diff"]);
  await inside.run(["repo", "stash", "apply"]);
  await inside.run(["repo", "undo"]);
  await inside.run(["repo", "redo"]);
  await inside.run(["repo", "undo"]);
  await inside.run(["repo", "stash", "pop"]);
  await inside.run(["repo", "revert", `${tree}/a.txt`]);
  await inside.run(["repo", "rename", `${tree}/new.txt`, `${tree}/newer.txt`, "--hard"]);
  await inside.run(["repo", "addremove"]);
  file("a.txt", "one\ntwo\nmine\n");
  await inside.run(["repo", "ci", "-m", "from the checkout", "--no-warnings"]);
  await inside.run(["repo", "co", "v2"]);
  file("a.txt", "one\ntwo\nother\n");
  await inside.run(["repo", "update", "trunk"], [3]);
  await inside.run(["repo", "revert"]);
  await inside.run(["repo", "co", "v2"]);
  file("a.txt", "one\ntwo\ntheirs\n");
  await inside.run(["repo", "ci", "-m", "on another branch", "--branch", "other"]);
  await inside.run(["repo", "co", "trunk"]);
  await inside.run(["repo", "merge", "other"], [3]);
  await inside.run(["repo", "conflicts", "ls"], [3]);
  await inside.run(["repo", "conflicts", "show", `${tree}/a.txt`]);
  await inside.run(["repo", "conflicts", "extract", `${tree}/a.txt`]);
  await inside.run(["repo", "conflicts", "merge", `${tree}/a.txt`], [3]);
  await inside.run(["repo", "conflicts", "pick", `${tree}/a.txt`, "theirs"]);
  await inside.run(["repo", "mark-resolved", `${tree}/a.txt`]);
  await inside.run(["repo", "revert"]);
  file("more.txt", "more\n");
  await inside.run(["repo", "add", `${tree}/more.txt`]);
  await inside.run(["repo", "ci", "-m", "more", "--branch", "more"]);
  await inside.run(["repo", "co", "trunk"]);
  await inside.run(["repo", "merge", "more", "--dry-run"]);
  await inside.run(["repo", "merge", "more"]);
  await inside.run(["repo", "status"]);
  await inside.run(["repo", "undo"]);
  await inside.run(["repo", "update", "more"]);
  await inside.run(["repo", "changes"]);
  await inside.run(["repo", "update", "trunk"]);
  await inside.run(["repo", "rm", `${tree}/a.txt`]);
  await inside.run(["repo", "revert"]);
  mkdirSync(`${tree}/empty/folder`, { recursive: true });
  file("junk", "junk\n");
  await inside.run(["repo", "clean", "--force", "--emptydirs"]);
  file("large", "x".repeat(12 * 1024 * 1024));
  await inside.run(["repo", "clean"], [1]);
  rmSync(`${tree}/large`);
  rmSync(`${tree}/a.txt`);
  await inside.run(["repo", "addremove"]);
  await inside.run(["repo", "revert"]);
  mkdirSync(`${tree}/.fossil-settings`);
  file(".fossil-settings/ignore-glob", "*.o\n");
  await inside.run(["repo", "config", "get", "ignore-glob"]);
  await inside.run(["repo", "config", "ls"]);
  rmSync(`${tree}/.fossil-settings`, { recursive: true });
  await inside.run(["repo", "stash", "goto", "1"]);
  await inside.run(["repo", "revert"]);
  await inside.run(["repo", "stash", "drop", "1"]);
  file("a.txt", "once more\n");
  await inside.run(["repo", "stash", "save", "-m", "to be cleared"]);
  await inside.run(["repo", "stash", "clear"]);
  await playBisect(inside);
  await inside.run(["repo", "close", "--force"]);
  rmSync(tree, { recursive: true });
  mkdirSync(tree);
  return [...opening.played, ...inside.played];
}

async function playBisect(inside: Player): Promise<void> {
  await inside.run(["repo", "bisect", "options"]);
  await inside.run(["repo", "bisect", "bad", "trunk"]);
  await inside.run(["repo", "bisect", "good", "start:trunk"]);
  await inside.run(["repo", "bisect", "next"]);
  await inside.run(["repo", "bisect", "skip"]);
  await inside.run(["repo", "bisect", "undo"]);
  await inside.run(["repo", "bisect", "ls"]);
  await inside.run(["repo", "bisect", "status"]);
  await inside.run(["repo", "bisect", "log"]);
  await inside.run(["repo", "bisect", "chart"]);
  await inside.run(["repo", "bisect", "reset"]);
}

/** With a server. */
async function playRemote(folder: TempDir, repository: string): Promise<Played[]> {
  const bare = new Player([]);
  const at = ["-R", repository];
  for (const login of ["nobody", "anonymous"]) {
    await cli(["repo", "user", "update", login, "--cap", "gjorzisy", ...at]);
  }
  await using server = new ServeHarness(repository);
  const clone = folder.join("clone.fossil");
  await bare.run(["repo", "clone", server.url, clone, "--uv"]);
  const here = new Player(["-R", clone]);
  await here.run(["sync", "pull"]);
  await here.run(["sync", "push", server.url]);
  await here.run(["sync", "sync", "--uv"]);
  await here.run(["repo", "uv", "sync"]);
  await here.run(["repo", "config", "pull", "project"]);
  await here.run(["repo", "config", "push", "project"]);
  await here.run(["repo", "config", "sync", "project"]);
  const password = folder.write("password", "secret\n");
  await here.run(["repo", "user", "add", "eve"]);
  await here.run(["repo", "user", "passwd", "eve", "--password-file", password]);
  // The server has something to say to who may only pull.
  for (const login of ["nobody", "anonymous"])
    await cli(["repo", "user", "update", login, "--cap", "go", ...at]);
  await here.run(["sync", "sync"], [0, 1]);
  return [...bare.played, ...here.played];
}

/** With a leaf that has a peer. */
async function playLeaf(folder: TempDir, repository: string): Promise<Played[]> {
  await using peer = new ServeHarness(repository);
  const clone = folder.join("clone.fossil");
  const gone = "http://127.0.0.1:1/";
  const wires = [
    "--nats-listen",
    "127.0.0.1:0",
    "--iroh",
    "--iroh-relay",
    "disabled",
    "--nats-monitor",
    "127.0.0.1:0",
  ];
  const leaf = await LeafProcess.start(clone, ["--peer", peer.url, "--peer", gone, ...wires]);
  let other: LeafProcess | undefined;
  try {
    const here = new Player(["-R", clone]);
    await here.run(["sync", "now"], [0, 1]);
    const nats = /nats:\/\/127\.0\.0\.1:\d+/.exec(leaf.stderr)?.[0];
    const third = folder.join("third.fossil");
    await cli(["repo", "backup", third, "-R", clone]);
    if (nats !== undefined) other = await LeafProcess.start(third, ["--nats", nats, "--peer-id", "other"]);
    const isHeard = async () => (await cli(["peers", "-R", clone, "--json"])).stdout.trim() !== "[]";
    for (let tries = 0; tries < 100 && !(await isHeard()); tries++) await Bun.sleep(50);
    await here.run(["status"]);
    await here.run(["sync", "status"]);
    await here.run(["peers"]);
    return here.played;
  } finally {
    await other?.stop();
    await leaf.stop();
  }
}
