import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, lstatSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { unzipSync } from "fflate";
import { formatArtifact } from "../../src/artifact-format.ts";
import { text, utf8 } from "../../src/bytes.ts";
import { receiveAll } from "../../src/repo-receive.ts";
import { cli } from "../cli-process.ts";
import { ScratchRepo } from "../scratch-repo.ts";
import { TempDir } from "../temp-dir.ts";
import { stocks } from "./stock.ts";

/** Archives and extracted files of check-ins: the same entries, permissions and times as stock's archives have. */
const folder = new TempDir("cli-archive");
const repository = folder.join("r.fossil");
const at = ["-R", repository];
afterAll(() => folder.remove());

async function ok(words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await cli(words);
  if (code !== 0) throw new Error(`edgesync ${words.join(" ")}: ${stderr}`);
  return stdout;
}

/** Name, mode and time of each entry, from an archive's central directory, and its content. */
function zipEntries(path: string) {
  const bytes = readFileSync(path);
  const contents = unzipSync(bytes);
  const end = bytes.lastIndexOf("PK\x05\x06");
  const entries = [];
  let offset = bytes.readUInt32LE(end + 16);
  for (let i = bytes.readUInt16LE(end + 10); i > 0; i--) {
    const [nameBytes, extraBytes] = [bytes.readUInt16LE(offset + 28), bytes.readUInt16LE(offset + 30)];
    const name = text(bytes.subarray(offset + 46, offset + 46 + nameBytes));
    entries.push({
      name,
      mode: (bytes.readUInt32LE(offset + 38) >>> 16).toString(8),
      time: bytes.readUInt32LE(offset + 12),
      content: Buffer.from(contents[name]!).toString("latin1"),
    });
    offset += 46 + nameBytes + extraBytes;
  }
  return entries;
}

function tarList(path: string): string {
  const env = { TZ: "UTC", LC_ALL: "C.UTF-8", PATH: process.env["PATH"] ?? "" };
  const list = Bun.spawnSync(["tar", "tvzf", path, "--full-time"], { env });
  const content = Bun.spawnSync(["tar", "xzOf", path], { env });
  expect([list.exitCode, content.exitCode]).toEqual([0, 0]);
  return text(list.stdout) + text(content.stdout);
}

beforeAll(async () => {
  await ok(["repo", "new", repository, "--project-name", "Ünder Test"]);
  folder.write("w/a.txt", "a\n");
  folder.write("w/empty", "");
  folder.write("w/d/e/f.txt", "f\n".repeat(50_000));
  folder.write("w/d/run.sh", "#!/bin/sh\n");
  folder.write("w/d/ü x", "ü");
  folder.write(`w/${"long/".repeat(30)}name`, "long");
  chmodSync(folder.join("w/d/run.sh"), 0o755);
  symlinkSync("../a.txt", folder.join("w/d/link"));
  const ci = ["repo", "ci", ...at, "-C", folder.join("w"), "."];
  await ok([...ci, "-m", "one", "--tag", "one"]);
  folder.write("w/.fossil-settings/manifest", "# all\nrut\n");
  await ok([...ci, "-m", "two", "--tag", "two"]);
});

describe.each(stocks().map((stock) => [stock.version, stock] as const))("stock %s", (version, stock) => {
  /** Older versions made up another name for the folder on top. */
  const top = stock.atLeast(2, 29) ? [] : ["--name", "some"];
  const OPTIONS: readonly (readonly string[])[] = [
    ["one", ...top],
    ["two", ...top],
    ["one", "--name", "top/x"],
    ["two", "--include", "d/*,m*", "-X", "*.sh,manifest.tags", ...top],
  ];
  test.each(OPTIONS.map((words) => [words.join(" "), words] as const))(
    "zip %s",
    async (_, [name, ...options]) => {
      const [ours, theirs] = [folder.join("ours.zip"), folder.join(`${version}.zip`)];
      const list = await ok(["repo", "zip", name!, ours, "-l", ...options, ...at]);
      expect(list).toBe(stock.okSync(["zip", name!, theirs, "-l", ...options, ...at]));
      expect(zipEntries(ours)).toEqual(zipEntries(theirs));
    },
  );

  test.each(OPTIONS.map((words) => [words.join(" "), words] as const))(
    "tar %s",
    async (_, [name, ...options]) => {
      const [ours, theirs] = [folder.join("ours.tgz"), folder.join(`${version}.tgz`)];
      const list = await ok(["repo", "tar", name!, ours, "-l", ...options, ...at]);
      expect(list).toBe(stock.okSync(["tarball", name!, theirs, "-l", ...options, ...at]));
      expect(tarList(ours)).toBe(tarList(theirs));
    },
  );

  test("extract: what stock checks out", async () => {
    const theirs = folder.folder(`open-${version}`);
    const ours = folder.join(`out-${version}`);
    stock.okSync(["open", repository, "one"], { cwd: theirs });
    await ok(["repo", "extract", "--version", "one", "-o", ours, ...at]);
    const files = (root: string) =>
      readdirSync(root, { recursive: true, encoding: "utf8" })
        .filter((name) => !name.startsWith(".fslckout") && !lstatSync(join(root, name)).isDirectory())
        .sort()
        .map((name) => [
          name,
          lstatSync(join(root, name)).mode & 0o100,
          readFileSync(join(root, name), "utf8"),
        ]);
    expect(files(ours)).toEqual(files(theirs));
    expect(files(ours)).toHaveLength(7);
  });
});

describe("extract", () => {
  const out = folder.join("extracted");
  const extract = (...words: string[]) => cli(["repo", "extract", ...words, ...at]);

  test("some files, existing ones only with --force", async () => {
    expect(await extract("d", "a.txt", "--version", "one", "-o", out)).toMatchObject({
      code: 0,
      stdout: "a.txt\nd/e/f.txt\nd/link\nd/run.sh\nd/ü x\n",
    });
    folder.write("extracted/a.txt", "mine");
    expect(await extract("empty", "a.txt", "--version", "one", "-o", out)).toMatchObject({
      code: 1,
      stdout: "",
    });
    expect(existsSync(join(out, "empty"))).toBe(false);
    expect(await extract("a.txt", "--version", "one", "-o", out, "-f")).toMatchObject({ code: 0 });
    expect(readFileSync(join(out, "a.txt"), "utf8")).toBe("a\n");
    expect(await extract("none", "--version", "one", "-o", out)).toMatchObject({ code: 1, stdout: "" });
  });

  test("links where the repository allows them", async () => {
    await ok(["repo", "config", "set", "allow-symlinks", "on", ...at]);
    const links = folder.join("links");
    expect(await extract("--version", "one", "-o", links)).toMatchObject({ code: 0 });
    expect(lstatSync(join(links, "d/link")).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(links, "d/link"), "utf8")).toBe("a\n");
    await ok(["repo", "config", "set", "allow-symlinks", "off", ...at]);
  });

  test("a check-in made by somebody bad writes nothing", async () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    receiveAll(repo, { onWrong: "throw" }, (batch) => {
      const hash = repo.content.hashOf(batch.add(utf8("evil")));
      const files = ["fine", "link", "link/inside"].map((name) => ({
        name,
        hash,
        permission: name === "link" ? ("l" as const) : ("" as const),
      }));
      batch.add(
        formatArtifact({
          type: "check-in",
          date: 0,
          files,
          parents: [],
          cherrypicks: [],
          tags: [],
          user: "x",
        }),
      );
    });
    const target = folder.folder("bad");
    const { code } = await cli(["repo", "extract", "-o", target, "--version", "1970-01-01", "-R", repo.path]);
    expect(code).toBe(1);
    expect(existsSync(folder.join("evil"))).toBe(false);
    expect(existsSync(join(target, "link/inside"))).toBe(false);
  });
});

test("bad use", async () => {
  for (const [words, code] of [
    [["zip", "none", folder.join("x.zip")], 1],
    [["zip", "one", folder.join("no/such/x.zip")], 1],
    [["tar"], 2],
    [["tar", "one", "-", "--list"], 2],
  ] as const) {
    expect(await cli(["repo", ...words, ...at])).toMatchObject({ code, stdout: "" });
  }
  expect(readdirSync(folder.path).filter((name) => name.endsWith(".part"))).toEqual([]);
  const piped = await cli(["repo", "zip", "one", "-", ...at]);
  expect(Object.keys(unzipSync(piped.bytes))).toHaveLength(40);
});

test("without a name the archive is called after project, date and hash", async () => {
  const here = new TempDir("archive-name");
  for (const [command, ending] of [
    ["zip", "zip"],
    ["tar", "tar.gz"],
  ]) {
    const said = await ok(["repo", command!, "tip", ...at, "-C", here.path]);
    expect(said).toMatch(new RegExp(`^[\\w-]+-\\d{14}-[0-9a-f]{10}\\.${ending}\\n$`));
    expect(existsSync(here.join(said.trim()))).toBe(true);
  }
  here.remove();
});
