import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { cli } from "../cli-process.ts";
import { TempDir } from "../temp-dir.ts";
import { stocks } from "./stock.ts";

/** Annotations against stock's, of a file with many versions, some of them merged, one deleted and back again. */
const folder = new TempDir("cli-annotate");
const repository = folder.join("r.fossil");
const at = ["-R", repository];
afterAll(() => folder.remove());

async function ok(words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await cli(words);
  if (code !== 0) throw new Error(`edgesync ${words.join(" ")}: ${stderr}`);
  return stdout;
}

beforeAll(async () => {
  await ok(["repo", "new", repository]);
  let state = 7;
  const below = (bound: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % bound;
  };
  const kinds = ["}", "", "  return x;", "  call();"];
  const line = () => (below(2) === 0 ? `  x = ${below(500)};` : kinds[below(kinds.length)]!);
  let lines = Array.from({ length: 80 }, line);
  const ci = (message: string, user: string, ...more: string[]) =>
    ok(["repo", "ci", ...at, "-C", folder.join("w"), "-m", message, "--user", user, ...more, "."]);
  for (let i = 0; i < 40; i++) {
    for (let edits = 1 + below(3); edits > 0; edits--) {
      lines.splice(below(lines.length), below(4), ...Array.from({ length: below(5) }, line));
    }
    if (i === 20) lines = lines.map((text) => `${text}  `);
    folder.write("w/f.c", `${lines.join(i === 25 ? "\r\n" : "\n")}\n`);
    folder.write("w/other", String(i));
    await ci(`${i}`, i % 3 === 0 ? "somebody-with-a-long-name" : "ann", "--tag", `v${i}`);
  }
  folder.write("w/bin", "a\0b");
  await ci("binary", "ann");
  rmSync(folder.join("w"), { recursive: true });
});

describe.each(stocks().map((stock) => [stock.version, stock] as const))("stock %s", (version, stock) => {
  let cwd: string;
  beforeAll(() => {
    cwd = folder.folder(`open-${version}`);
    stock.okSync(["open", repository, "tip"], { cwd });
    stock.okSync(["revert"], { cwd });
  });

  test.each([
    [[]],
    [["-r", "v30"]],
    [["-w"]],
    [["-Z"]],
    [["-n", "10"]],
    [["-l"]],
    [["--filevers"]],
    [["-o", "v10"]],
    [["-r", "v12", "--origin", "v35", "-l"]],
    [["-r", "v5", "-o", "v38"]],
  ])("%j", async (options) => {
    const whole = options.includes("-n") ? [] : ["-n", "none"];
    for (const verb of ["annotate", "blame"]) {
      const printed = stock.okSync([verb, "f.c", ...options, ...whole], { cwd });
      expect(await ok(["repo", verb, "f.c", ...options, ...at])).toBe(printed);
    }
  });
});

test("as JSON, and what is refused", async () => {
  const lines = (await ok(["repo", "annotate", "other", "--json", ...at])).trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { line: 1, text: "39", user: expect.any(String) },
  ]);
  for (const name of ["none", "bin"]) {
    expect(await cli(["repo", "annotate", name, ...at])).toMatchObject({ code: 1, stdout: "" });
  }
});
