import { expect, test } from "bun:test";
import {
  commit,
  listFiles,
  Repo,
  readFile,
  resolveName,
  systemClock,
  systemRandom,
  timeline,
} from "../src/index.ts";
import { TempDir } from "./temp-dir.ts";

test("a program can keep its data in a repository", () => {
  using folder = new TempDir("index");
  const deps = { clock: systemClock, random: systemRandom };
  const repo = Repo.create(folder.join("library.fossil"), { ...deps, user: "ann" });
  const content = new TextEncoder().encode("hello\n");
  commit(repo, { edits: [{ name: "a.txt", content }], comment: "first", user: "ann" });
  const tip = resolveName(repo, "tip");
  expect(listFiles(repo, tip).map(({ name }) => name)).toEqual(["a.txt"]);
  expect(readFile(repo, tip, "a.txt")).toEqual(content);
  expect(timeline(repo).map(({ comment }) => comment)).toEqual(["first"]);
  repo.close();
});
