import { describe, expect, test } from "bun:test";
import { text } from "../src/bytes.ts";
import { columns, formatBytes, Output, type OutputOptions, StdoutClosed } from "../src/cli-output.ts";
import type { Clock } from "../src/clock.ts";
import { RepoError } from "../src/errors.ts";

/** An output into strings, with a clock moved by hand. */
function capture(options: Partial<OutputOptions> = {}) {
  const written = { stdout: "", stderr: "", nowMs: 0 };
  const clock = { monotonic: () => written.nowMs } as Clock;
  const out = new Output({
    json: false,
    quiet: false,
    verbose: false,
    isTerminal: () => false,
    color: false,
    clock,
    stdout: (bytes) => {
      written.stdout += text(bytes);
    },
    stderr: (bytes) => {
      written.stderr += text(bytes);
    },
    ...options,
  });
  return { out, written };
}

describe("results", () => {
  test("text by default, JSON with --json", () => {
    const plain = capture();
    plain.out.result({ a: 1 }, () => "a is 1\n");
    plain.out.flush();
    expect(plain.written.stdout).toBe("a is 1\n");
    const json = capture({ json: true });
    json.out.result({ a: 1, b: undefined }, () => "a is 1\n");
    json.out.flush();
    expect(json.written.stdout).toBe('{\n  "a": 1\n}\n');
  });

  test("items are one line of JSON each", () => {
    const { out, written } = capture({ json: true });
    out.item({ a: 1 }, () => "");
    out.item({ a: 2 }, () => "");
    out.flush();
    expect(written.stdout).toBe('{"a":1}\n{"a":2}\n');
  });

  test("large output is written as it comes, and bytes in their place", () => {
    const { out, written } = capture();
    out.result({}, () => "x".repeat(70_000));
    expect(written.stdout.length).toBe(70_000);
    out.result({}, () => "end");
    out.bytes(new TextEncoder().encode("!"));
    expect(written.stdout).toEndWith("end!");
  });

  test("a reader that has gone away is told apart", () => {
    const { out } = capture({
      stdout: () => {
        throw new StdoutClosed();
      },
    });
    out.result({}, () => "x");
    expect(() => out.flush()).toThrow(StdoutClosed);
  });
});

describe("messages", () => {
  const error = new RepoError("repo-missing", "x.fossil does not\nexist", { hint: "check its name" });

  test("an error is one line and a line with what to do", () => {
    const { out, written } = capture({ quiet: true });
    out.error(error);
    expect(written.stderr).toBe("edgesync: x.fossil does not; exist\n  check its name\n");
  });

  test("-v adds the stack, a defect always shows it", () => {
    const verbose = capture({ verbose: true });
    verbose.out.error(error);
    expect(verbose.written.stderr).toContain("cli-output.test.ts");
    const defect = capture();
    defect.out.error(new Error("boom"));
    expect(defect.written.stderr).toStartWith("edgesync: internal error: boom\n");
    expect(defect.written.stderr).toContain("cli-output.test.ts");
  });

  test("colour only when asked for, and on a terminal", () => {
    const piped = capture({ color: true });
    piped.out.error(error);
    expect(piped.written.stderr).toStartWith("edgesync: x.fossil");
    const { out, written } = capture({ color: true, isTerminal: () => true });
    out.error(error);
    expect(written.stderr).toStartWith("\u001b[31medgesync:\u001b[0m x.fossil");
  });

  test("notes are for everyone but -q, details for -v", () => {
    for (const [options, expected] of [
      [{}, "note\n"],
      [{ quiet: true }, ""],
      [{ verbose: true }, "note\ndetail\n"],
    ] as const) {
      const { out, written } = capture(options);
      out.note("note");
      out.detail("detail");
      expect(written.stderr).toBe(expected);
    }
  });
});

describe("progress", () => {
  function work(options: Partial<OutputOptions>): string {
    const { out, written } = capture(options);
    const progress = out.progress("reading");
    for (let i = 1; i <= 30; i++) {
      written.nowMs += 100;
      progress.update({ doneCount: i, totalCount: 60, doneBytes: i * 1000 });
    }
    progress.end();
    return written.stderr;
  }

  test("after a second, on a terminal, and taken away at the end", () => {
    const shown = work({ isTerminal: () => true })
      .split("\r\u001b[K")
      .slice(1);
    expect(shown[0]).toBe("reading: 10 of 60, 10.0 kB, 10.0 kB/s, 5 s left");
    expect(shown.length).toBeLessThan(15);
    expect(shown.at(-1)).toBe("");
  });

  test("says what is counted and which round of an exchange it is", () => {
    const { out, written } = capture({ isTerminal: () => true });
    const progress = out.progress("pull");
    written.nowMs += 2000;
    progress.update({ rounds: 2, doneCount: 40, noun: "artifacts" });
    expect(written.stderr).toEndWith("pull: round 3, 40 artifacts, 20/s");
  });

  test("never on a pipe, never with -q", () => {
    expect(work({})).toBe("");
    expect(work({ isTerminal: () => true, quiet: true })).toBe("");
  });
});

test("columns are padded by width on the screen", () => {
  expect(
    columns([
      ["a", "bb", ""],
      ["日本", "c", "d"],
    ]),
  ).toBe("a     bb\n日本  c   d\n");
});

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.0 kB"],
  [999_499, "999.5 kB"],
  [1_500_000, "1.5 MB"],
] as const)("%d bytes are %s", (count, expected) => {
  expect(formatBytes(count)).toBe(expected);
});
