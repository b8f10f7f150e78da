import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { closeSync, existsSync, openSync, readFileSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../src/clock.ts";
import { Db } from "../src/db.ts";
import { systemRandom } from "../src/random.ts";
import { Repo } from "../src/repo.ts";
import { type CliResult, cli, cliEnv, MAIN, spawnCli } from "./cli-process.ts";
import { TempDir } from "./temp-dir.ts";

const folder = new TempDir("cli");
const good = folder.join("good.fossil");

beforeAll(async () => {
  expect((await cli(["repo", "new", good, "--project-name", "Test"])).code).toBe(0);
});
afterAll(() => folder.remove());

/** What a user sees of a failure: at most two lines, the first with our name. */
function expectFailure(result: CliResult, code: number, stderr: RegExp) {
  expect(result.stderr).toMatch(stderr);
  expect(result.stderr.trimEnd().split("\n").length).toBeLessThanOrEqual(2);
  expect(result.stderr).toStartWith("edgesync: ");
  expect({ code: result.code, stdout: result.stdout }).toEqual({ code, stdout: "" });
}

describe("the program", () => {
  test("--version", async () => {
    const { code, stdout } = spawnCli(["--version"]);
    expect(stdout).toMatch(
      /^edgesync \S+ \(commit \S+, \S+\)\nBun \d+\.\d+\.\d+, SQLite 3\.\d+\.\d+, (?:iroh \S+|without iroh)\n$/,
    );
    expect(code).toBe(0);
    const facts = JSON.parse((await cli(["--version", "--json"])).stdout);
    expect(Object.keys(facts)).toEqual(["version", "commit", "date", "bun", "sqlite", "iroh"]);
  });

  test("--help anywhere, on stdout; a group alone shows its help on stderr and is bad usage", async () => {
    for (const words of [["--help"], ["repo", "-h"], ["repo", "--help", "ls"], ["repo", "ls", "--help"]]) {
      const help = await cli(words);
      expect(help.stdout).toContain("Examples:");
      expect({ code: help.code, stderr: help.stderr }).toEqual({ code: 0, stderr: "" });
    }
    const group = await cli(["repo"]);
    expect(group.stderr).toContain("Commands:");
    expect({ code: group.code, stdout: group.stdout }).toEqual({ code: 2, stdout: "" });
  });

  test("options of every command may stand before its name", async () => {
    const { stdout } = await cli(["--json", "-R", good, "repo", "config", "get", "project-name"]);
    expect(JSON.parse(stdout)).toEqual({ name: "project-name", value: "Test", source: "local" });
  });
});

describe("bad usage ends with 2", () => {
  const cases: readonly [words: string[], stderr: RegExp][] = [
    [["rpeo"], /has no command "rpeo"\n {2}did you mean edgesync repo\?/],
    [["repo", "frobnicate"], /edgesync repo has no command "frobnicate"\n {2}see edgesync repo --help/],
    [["repo", "constructor"], /has no command "constructor"/],
    [["repo", "ls", "--lnog"], /unknown option --lnog\n {2}did you mean --long\?/],
    [["--jsno", "repo", "ls"], /unknown option --jsno\n {2}did you mean --json\?/],
    [["repo", "timeline", "-n", "many"], /-n: expected a whole number from 0 to 1000000000, got "many"/],
    [["repo", "new"], /FILE is missing/],
    [["repo", "new", "a", "b"], /unexpected argument "b"/],
    [["repo", "config", "set", "x"], /give either VALUE or --unset/],
    [["repo", "ci", "x"], /a check-in needs a message/],
    [["leaf"], /a leaf needs something to do\n {2}add --serve-http/],
    [["leaf", "--serve-http", "nowhere:99999999"], /--serve-http: expected HOST:PORT/],
    [["leaf", "--config", "missing.toml"], /missing.toml does not exist/],
  ];
  test.each(cases)("%j", async (words, stderr) => expectFailure(await cli(words), 2, stderr));
});

describe("configuration files", () => {
  const cases: readonly [name: string, content: string, stderr: RegExp][] = [
    ["syntax.toml", 'poll = "5s"\n\nserve-http = \nuv = true\n', /syntax.toml, line 3: not TOML: /],
    ["list.toml", 'peer = [\n  "a",\n  b\n]\n', /list.toml, line 1: not TOML: /],
    ["key.toml", 'serve_http = ":0"\n', /key.toml: unknown key "serve_http"\n {2}did you mean serve-http\?/],
    ["table.toml", "[http]\nserve = true\n", /table.toml: http: expected text, number, true, false/],
    ["value.toml", 'log-level = "loud"\n', /value.toml: log-level: expected one of error, warn, info, debug/],
  ];
  test.each(cases)("%s", async (name, content, stderr) => {
    const path = folder.write(name, content);
    expectFailure(await cli(["leaf", "--config", path]), 2, stderr);
  });

  test("the environment can name the file", async () => {
    const path = folder.write("env.toml", "nonsense = 1\n");
    const { code, stderr } = await cli(["leaf"], { env: { EDGESYNC_CONFIG: path } });
    expect(stderr).toContain('env.toml: unknown key "nonsense"');
    expect(code).toBe(2);
  });
});

describe("which repository", () => {
  test("the only *.fossil of the folder", async () => {
    expect(spawnCli(["repo", "info"], { cwd: folder.path }).stdout).toContain("good.fossil");
    expect((await cli(["repo", "info", "-C", folder.path])).stdout).toContain(good);
  });

  test("none, or several, is an error that says so", async () => {
    const empty = folder.folder("empty");
    expectFailure(
      await cli(["repo", "info", "-C", empty]),
      1,
      /no repository: .*\n {2}name one with -R FILE/,
    );
    const several = folder.folder("several");
    for (const name of ["several/a.fossil", "several/b.fossil"]) folder.write(name, "");
    expectFailure(
      await cli(["repo", "info", "-C", several]),
      1,
      /several repositories here: a.fossil, b.fossil/,
    );
    expectFailure(await cli(["repo", "info", "-C", "nowhere"]), 1, /the folder nowhere cannot be read/);
  });
});

describe("bad repositories: one line, code 1, nothing changed", () => {
  function damaged(name: string, damage: (path: string) => void): string {
    const path = folder.join(`${name}.bad`);
    Repo.create(path, { clock: systemClock, random: systemRandom, user: "dev" }).close();
    damage(path);
    return path;
  }
  const setConfig = (name: string, value: string) => (path: string) => {
    const db = Db.open(path, { mode: "write" });
    db.prepare("UPDATE config SET value=? WHERE name=?").run(value, name);
    db.close();
  };
  const cases: readonly [name: string, path: () => string, stderr: RegExp][] = [
    ["missing", () => folder.join("nowhere.fossil"), /nowhere.fossil does not exist/],
    ["a folder", () => folder.path, /is a folder, not a repository/],
    ["empty", () => folder.write("empty.bad", ""), /is empty, not a repository/],
    ["text", () => folder.write("text.bad", "hello\n".repeat(10_000)), /is not a Fossil repository/],
    ["truncated", () => damaged("cut", (path) => truncateSync(path, 20_480)), /is cut short/],
    [
      "of a later schema",
      () => damaged("later", setConfig("aux-schema", "2099-01-01")),
      /newer than the known/,
    ],
    [
      "of an old schema",
      () => damaged("old", setConfig("aux-schema", "1999-01-01")),
      /is out of date.*\n {2}run: edgesync repo rebuild/,
    ],
  ];
  test.each(cases)("%s", async (_name, make, stderr) => {
    const path = make();
    const before = existsSync(path) && path.endsWith(".bad") ? readFileSync(path) : undefined;
    expectFailure(await cli(["repo", "timeline", "-R", path]), 1, stderr);
    expectFailure(await cli(["repo", "user", "add", "ann", "-R", path]), 1, stderr);
    if (before !== undefined) expect(readFileSync(path).equals(before)).toBe(true);
  });

  test("to a leaf", () => {
    const words = ["leaf", "-R", folder.join("nowhere.fossil"), "--serve-http", "127.0.0.1:0"];
    expectFailure(spawnCli(words), 1, /nowhere.fossil does not exist/);
  });

  test("exists already", async () => {
    const before = readFileSync(good);
    expectFailure(await cli(["repo", "new", good]), 1, /exists already/);
    expect(readFileSync(good).equals(before)).toBe(true);
  });

  test("an address in use", () => {
    const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const words = ["leaf", "-R", good, "--serve-http", `127.0.0.1:${listener.port}`];
    expectFailure(spawnCli(words), 1, /cannot listen on 127.0.0.1:\d+: the address is in use/);
    listener.stop(true);
  });

  test("an address of another machine", () => {
    const words = ["leaf", "-R", good, "--serve-http", "192.0.2.1:0"];
    expectFailure(spawnCli(words), 1, /cannot listen on 192.0.2.1:0: it is no address of this machine\n/);
  });
});

describe("standard output", () => {
  test("a reader that stops reading ends the command without a word", async () => {
    const child = Bun.spawn(
      ["sh", "-c", `"$0" "$@" | true`, process.execPath, MAIN, "repo", "config", "ls", "-R", good],
      {
        env: cliEnv(),
        stderr: "pipe",
      },
    );
    expect(await new Response(child.stderr).text()).toBe("");
    await child.exited;
  });

  test.if(existsSync("/dev/full"))("a full disk behind it is one line", async () => {
    const full = openSync("/dev/full", "w");
    const child = Bun.spawnSync([process.execPath, MAIN, "repo", "info", "-R", good], {
      env: cliEnv(),
      stdout: full,
      stderr: "pipe",
    });
    closeSync(full);
    expect(child.stderr.toString()).toBe(
      "edgesync: the results cannot be written to standard output (ENOSPC)\n",
    );
    expect(child.exitCode).toBe(1);
  });
});

test("a leaf says when it is ready at any log level, answers, and ends with 0 when told to", async () => {
  const words = ["leaf", "-R", good, "--serve-http", "127.0.0.1:0", "--log-level", "error"];
  const child = Bun.spawn([process.execPath, MAIN, ...words], {
    env: cliEnv(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  try {
    let said = "";
    for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
      said += chunk;
      if (said.includes("\n")) break;
    }
    const line = JSON.parse(said.split("\n")[0]!) as { message: string; http: string };
    expect(line.message).toBe("ready");
    expect(await (await fetch(join(line.http, "healthz"))).text()).toStartWith("ok");
  } finally {
    child.kill("SIGTERM");
  }
  expect(await child.exited).toBe(0);
});
