import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type ArgSources, envName, kebab, parseArgs } from "../src/cli-args.ts";
import { type Args, flag, option, positional, text } from "../src/cli-command.ts";
import { address, choice, duration, integer, moment } from "../src/cli-values.ts";
import { UsageError } from "../src/errors.ts";

const ARGS = {
  repo: option({ description: "", valueHint: "FILE", alias: ["R", "repository"] }, text),
  serveHttp: option({ description: "", bare: "127.0.0.1:8080" }, address(8080)),
  peer: option({ description: "", repeat: true }, text),
  poll: option({ description: "", default: "60s" }, duration),
  limit: option({ description: "", alias: ["n"], default: "20" }, integer(0, 1000)),
  role: option({ description: "" }, choice("peer", "hub", "leaf")),
  push: flag({ description: "", default: "true" }),
  long: flag({ description: "", alias: ["l"] }),
  verbose: flag({ description: "", alias: ["v"] }),
  first: positional({ description: "" }),
  rest: positional({ description: "", repeat: true }),
} satisfies Args;

function parse(words: readonly string[], more: Partial<ArgSources> = {}) {
  return parseArgs(ARGS, { words, env: {}, commandLine: "edgesync try", ...more });
}

function failure(words: readonly string[], more: Partial<ArgSources> = {}): UsageError {
  try {
    parse(words, more);
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  throw new Error("expected a UsageError");
}

const file = (values: Record<string, string[]>) => ({
  path: "leaf.toml",
  values: new Map(Object.entries(values)),
});

describe("the command line", () => {
  test("defaults", () => {
    expect(parse([])).toEqual({
      repo: undefined,
      serveHttp: undefined,
      peer: [],
      poll: 60_000,
      limit: 20,
      role: undefined,
      push: true,
      long: false,
      verbose: false,
      first: undefined,
      rest: [],
    });
  });

  test("long and short options, with and without =", () => {
    expect(parse(["--repo", "a"]).repo).toBe("a");
    expect(parse(["--repo=a=b"]).repo).toBe("a=b");
    expect(parse(["--repository", "a"]).repo).toBe("a");
    expect(parse(["-R", "a"]).repo).toBe("a");
    expect(parse(["-Ra"]).repo).toBe("a");
    expect(parse(["-n5"]).limit).toBe(5);
    expect(parse(["-lvn", "5"])).toMatchObject({ long: true, verbose: true, limit: 5 });
  });

  test("an option with a bare value does not swallow the next option", () => {
    expect(parse(["--serve-http", "--repo", "a"])).toMatchObject({
      serveHttp: { host: "127.0.0.1", port: 8080 },
      repo: "a",
    });
    expect(parse(["--serve-http"]).serveHttp).toEqual({ host: "127.0.0.1", port: 8080 });
    expect(parse(["--serve-http", ":9000"]).serveHttp).toEqual({ host: "0.0.0.0", port: 9000 });
    expect(parse(["--serve-http=[::1]:1"]).serveHttp).toEqual({ host: "::1", port: 1 });
  });

  test("repeated options keep all values", () => {
    expect(parse(["--peer", "a", "--peer=b"]).peer).toEqual(["a", "b"]);
  });

  test("flags: --x, --no-x, --x=false", () => {
    expect(parse(["--no-push"]).push).toBe(false);
    expect(parse(["--push=off"]).push).toBe(false);
    expect(parse(["--no-push", "--push"]).push).toBe(true);
    expect(parse(["--no-long"]).long).toBe(false);
  });

  test("positionals, - and --", () => {
    expect(parse(["a", "-l", "b", "c"])).toMatchObject({ first: "a", rest: ["b", "c"], long: true });
    expect(parse(["-", "--", "-l", "--repo"])).toMatchObject({
      first: "-",
      rest: ["-l", "--repo"],
      long: false,
    });
  });

  test("a required value may start with - unless it is an option", () => {
    expect(parse(["--repo", "-x y"]).repo).toBe("-x y");
    expect(failure(["--repo", "-l"])).toMatchObject({
      code: "missing-value",
      message: "--repo needs a value (FILE)",
    });
  });

  const failures: readonly [words: string[], code: string, message: string, hint: string][] = [
    [["--rpeo", "a"], "unknown-option", "unknown option --rpeo", "did you mean --repo?"],
    [["--serve"], "unknown-option", "unknown option --serve", "did you mean --serve-http?"],
    [["--zzz"], "unknown-option", "unknown option --zzz", "see edgesync try --help"],
    [["--zzz=1"], "unknown-option", "unknown option --zzz", "see edgesync try --help"],
    [["-lz"], "unknown-option", "unknown option -z", "see edgesync try --help"],
    [["--no-repo"], "unknown-option", "unknown option --no-repo", "see edgesync try --help"],
    [["--repo"], "missing-value", "--repo needs a value (FILE)", "see edgesync try --help"],
    [["--repo", "--"], "missing-value", "--repo needs a value (FILE)", "see edgesync try --help"],
    [["--repo", "a", "-R", "b"], "repeated-option", "-R was given twice", "see edgesync try --help"],
    [["--no-push=1"], "bad-value", "--no-push takes no value", "see edgesync try --help"],
  ];
  test.each(failures)("%j is refused", (words, code, message, hint) => {
    expect(failure(words)).toMatchObject({ code, message, hint, exitCode: 2 });
  });

  test("what is required and what is left over", () => {
    const args = { file: positional({ description: "", required: true }) };
    const sources = (words: string[]) => ({ words, env: {}, commandLine: "edgesync x" });
    expect(() => parseArgs(args, sources([]))).toThrow("FILE is missing");
    expect(() => parseArgs(args, sources(["a", "b"]))).toThrow('unexpected argument "b"');
  });

  test("only usage errors, whatever the words", () => {
    const word = fc.oneof(
      fc.constantFrom("--repo", "--serve-http", "--peer", "-n", "-l", "--", "-", "--no-push", "--poll=1s"),
      fc.string({ maxLength: 8 }),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 6 }), (words) => {
        try {
          parse(words);
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError);
        }
      }),
      { seed: 1, numRuns: 500 },
    );
  });
});

describe("values", () => {
  const values: readonly [kind: string, parser: (text: string) => unknown, text: string, value: unknown][] = [
    ["duration", duration, "250ms", 250],
    ["duration", duration, "1h30m", 5_400_000],
    ["duration", duration, "0.5s", 500],
    ["duration", duration, "2d", 172_800_000],
    ["duration", duration, "60", UsageError],
    ["duration", duration, "0s", UsageError],
    ["duration", duration, "-1s", UsageError],
    ["duration", duration, "1s ", UsageError],
    ["duration", duration, "1x", UsageError],
    ["duration", duration, "", UsageError],
    ["integer", integer(0, 10), "10", 10],
    ["integer", integer(0, 10), "11", UsageError],
    ["integer", integer(0, 10), "-1", UsageError],
    ["integer", integer(0, 10), "1e1", UsageError],
    ["integer", integer(0, 10), "5x", UsageError],
    ["integer", integer(0, 10), "", UsageError],
    ["choice", choice("a", "b"), "b", "b"],
    ["choice", choice("a", "b"), "c", UsageError],
    ["address", address(8080), "localhost:0", { host: "localhost", port: 0 }],
    ["address", address(8080), "host:70000", UsageError],
    ["moment", moment("first"), "2026-01-31", Date.UTC(2026, 0, 31)],
    ["moment", moment("last"), "2026-01-31", Date.UTC(2026, 1, 1) - 1],
    ["moment", moment("first"), "2026-01-31T10:15", Date.UTC(2026, 0, 31, 10, 15)],
    ["moment", moment("first"), "2026-13-45", UsageError],
    ["moment", moment("last"), "yesterday", UsageError],
  ];
  test.each(values)("%s %p %j", (_kind, parser, input, value) => {
    if (value === UsageError) expect(() => parser(input)).toThrow(UsageError);
    else expect(parser(input)).toEqual(value);
  });
});

describe("environment and file", () => {
  test("names", () => {
    expect(kebab("natsLeafListen")).toBe("nats-leaf-listen");
    expect(envName("natsLeafListen")).toBe("EDGESYNC_NATS_LEAF_LISTEN");
  });

  test("flag beats environment beats file beats default", () => {
    const env = { EDGESYNC_LIMIT: "2" };
    const sources = { env, file: file({ limit: ["3"], poll: ["3s"] }) };
    expect(parse(["-n", "1"], sources).limit).toBe(1);
    expect(parse([], sources).limit).toBe(2);
    expect(parse([], { file: sources.file })).toMatchObject({ limit: 3, poll: 3000 });
    expect(parse([]).limit).toBe(20);
  });

  test("environment: aliases, lists, flags, empty is unset, true stands for a bare value", () => {
    const env = {
      EDGESYNC_REPOSITORY: "a",
      EDGESYNC_PEER: "x, y",
      EDGESYNC_PUSH: "no",
      EDGESYNC_SERVE_HTTP: "true",
      EDGESYNC_LIMIT: "",
      EDGESYNC_UNKNOWN: "of another command",
    };
    expect(parse([], { env })).toMatchObject({
      repo: "a",
      peer: ["x", "y"],
      push: false,
      serveHttp: { host: "127.0.0.1", port: 8080 },
      limit: 20,
    });
    expect(parse([], { env: { EDGESYNC_SERVE_HTTP: "false" } }).serveHttp).toBeUndefined();
  });

  test("file: lists, and errors that name file and key", () => {
    expect(parse([], { file: file({ peer: ["a", "b"], repo: ["r"] }) })).toMatchObject({
      peer: ["a", "b"],
      repo: "r",
    });
    expect(failure([], { file: file({ serv_http: ["1"] }) })).toMatchObject({
      code: "unknown-key",
      message: 'leaf.toml: unknown key "serv_http"',
      hint: "did you mean serve-http?",
    });
    expect(failure([], { file: file({ repo: ["a", "b"] }) }).message).toBe(
      "leaf.toml: repo: expected one value, got an array",
    );
    expect(failure([], { file: file({ poll: ["often"] }) }).message).toStartWith(
      "leaf.toml: poll: expected a duration",
    );
  });

  test("errors name the source", () => {
    expect(failure(["--poll", "x"]).message).toStartWith("--poll: expected");
    expect(failure([], { env: { EDGESYNC_POLL: "x" } }).message).toStartWith("EDGESYNC_POLL: expected");
  });
});
