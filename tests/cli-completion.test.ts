import { afterAll, describe, expect, test } from "bun:test";
import { text } from "../src/bytes.ts";
import { cli } from "./cli-process.ts";
import { TempDir } from "./temp-dir.ts";

/** The scripts, loaded by the shells they are for. A shell that is not installed is passed over. */
const folder = new TempDir("completion");
afterAll(() => folder.remove());

/** Says why a shell was passed over. */
const named = (shell: string) => (Bun.which(shell) === null ? `${shell}: not installed here` : shell);

async function script(shell: string): Promise<string> {
  const { code, stdout } = await cli(["completion", shell]);
  expect(code).toBe(0);
  return folder.write(`edgesync.${shell}`, stdout);
}

function run(words: readonly string[]): string[] {
  const child = Bun.spawnSync([...words], {
    cwd: folder.path,
    env: { PATH: process.env["PATH"] ?? "", HOME: folder.path, TERM: "dumb", LC_ALL: "C.UTF-8" },
    stdin: "ignore",
    timeout: 20_000,
  });
  expect([child.exitCode, text(child.stderr)]).toEqual([0, ""]);
  return text(child.stdout)
    .split("\n")
    .filter((line) => line !== "");
}

/** A line with the word that is being typed at its end, and what is offered; `no` is not. */
const CASES: readonly { line: readonly string[]; offered: readonly string[]; no: string }[] = [
  { line: [""], offered: ["completion", "leaf", "repo", "sync"], no: "ls" },
  { line: ["repo", "ti"], offered: ["ticket", "timeline"], no: "tag" },
  { line: ["repo", "-R", "x.fossil", "ticket", ""], offered: ["history", "ls", "new", "set"], no: "repo" },
  { line: ["repo", "ticket", "ls", "--wh"], offered: ["--where"], no: "--field" },
  { line: ["repo", "ls", "--j"], offered: ["--json"], no: "--long" },
  { line: ["leaf", "--no-p"], offered: ["--no-pull", "--no-push"], no: "--push" },
];

test("bash", async () => {
  const path = await script("bash");
  folder.write("some-file", "");
  for (const { line, offered, no } of [
    ...CASES,
    { line: ["repo", "cat", "some"], offered: ["some-file"], no: "cat" },
  ]) {
    const words = ["edgesync", ...line].map((word) => `'${word}'`).join(" ");
    const program = `source ${path}; COMP_WORDS=(${words}); COMP_CWORD=${line.length}; _edgesync; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const answers = run(["bash", "--norc", "-c", program]);
    expect(answers).toEqual(expect.arrayContaining([...offered]));
    expect(answers).not.toContain(no);
  }
  expect(run(["bash", "--norc", "-c", `source ${path}; complete -p edgesync`])[0]).toContain("_edgesync");
});

/** Stands for zsh's own function, which works only while a line is edited. */
const ZSH_DESCRIBE = `
_describe() { [[ $1 == -o ]] && shift; local list=$2; print -rl -- "\${(@)\${(P)list}%%:*}"; }
_files() { print -rl -- *(N); }`;

describe.skipIf(Bun.which("zsh") === null)(named("zsh"), () => {
  test("what is offered", async () => {
    const path = await script("zsh");
    run(["zsh", "-f", "-n", path]);
    for (const { line, offered, no } of CASES) {
      const words = ["edgesync", ...line].map((word) => `'${word}'`).join(" ");
      const program = `source ${path}; ${ZSH_DESCRIBE}
        words=(${words}); CURRENT=${line.length + 1}; PREFIX='${line.at(-1)}'; _edgesync`;
      const answers = run(["zsh", "-f", "-c", program]);
      expect(answers).toEqual(expect.arrayContaining([...offered]));
      if (line.at(-1) === "") expect(answers).not.toContain(no);
    }
    const loaded = `autoload -Uz compinit; compinit -u -d ${folder.join("dump")}; source ${path}; print $_comps[edgesync]`;
    expect(run(["zsh", "-f", "-c", loaded])).toEqual(["_edgesync"]);
  });
});

describe.skipIf(Bun.which("fish") === null)(named("fish"), () => {
  test("what is offered", async () => {
    const path = await script("fish");
    run(["fish", "-N", "--no-execute", path]);
    for (const { line, offered, no } of CASES) {
      const typed = ["edgesync", ...line].join(" ");
      const answers = run(["fish", "-N", "-c", `source ${path}; complete -C '${typed}'`]).map(
        (row) => row.split("\t")[0],
      );
      expect(answers).toEqual(expect.arrayContaining([...offered]));
      expect(answers).not.toContain(no);
    }
  });
});

test("as JSON, and for a shell that is not known", async () => {
  const { stdout } = await cli(["completion", "bash", "--json"]);
  expect(JSON.parse(stdout)).toMatchObject({ shell: "bash", script: expect.stringContaining("_edgesync") });
  expect(await cli(["completion", "tcsh"])).toMatchObject({ code: 2, stdout: "" });
});
