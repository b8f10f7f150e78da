import { describe, expect, test } from "bun:test";
import { ScratchRepo } from "./scratch-repo.ts";

test("set, get, list and unset, with the time of the change in seconds", () => {
  using scratch = new ScratchRepo();
  const { config } = scratch.repo;
  scratch.clock.time = 1_700_000_000_999;
  config.set("a", "1");
  config.set("b", "", 5);
  expect([config.get("a"), config.get("b"), config.get("c")]).toEqual(["1", "", undefined]);
  expect([config.entry("a"), config.entry("b"), config.entry("c")]).toEqual([
    { name: "a", value: "1", mtime: 1_700_000_000 },
    { name: "b", value: "", mtime: 5 },
    undefined,
  ]);
  config.set("a", "2");
  config.unset("b");
  config.unset("never there");
  const listed = config.list().map(({ name }) => name);
  expect([config.get("a"), listed.includes("a"), listed.includes("b")]).toEqual(["2", true, false]);
  expect(listed).toEqual(listed.toSorted());
});

test("NULL counts as unset", () => {
  using scratch = new ScratchRepo();
  const { config, db } = scratch.repo;
  db.exec("INSERT INTO config(name,value,mtime) VALUES('none',NULL,NULL),('undated','x',NULL)");
  expect([config.get("none"), config.entry("none"), config.isOn("none", true)]).toEqual([
    undefined,
    undefined,
    true,
  ]);
  expect(config.entry("undated")).toEqual({ name: "undated", value: "x", mtime: undefined });
  expect(config.list().some(({ name }) => name === "none")).toBe(false);
});

test.each([
  ["on", true],
  ["YES", true],
  ["True", true],
  ["1", true],
  ["-7", true],
  [" 2x", true],
  ["off", false],
  ["No", false],
  ["FALSE", false],
  ["0", false],
  ["", undefined],
  ["00", undefined],
  ["maybe", undefined],
] as const)("%j as a boolean", (value, expected) => {
  using scratch = new ScratchRepo();
  const { config } = scratch.repo;
  config.set("x", value);
  expect([config.isOn("x", true), config.isOn("x", false)]).toEqual([expected ?? true, expected ?? false]);
});

test("numbers are the leading integer", () => {
  using scratch = new ScratchRepo();
  const { config } = scratch.repo;
  const read = (value: string) => {
    config.set("n", value);
    return config.integer("n", 9);
  };
  expect(["12", " -3 days", "x", "", "+4", "1e3"].map(read)).toEqual([12, -3, 0, 0, 4, 1]);
  expect(config.integer("unset", 9)).toBe(9);
});

describe("hash policy", () => {
  test("of a repository that has none follows from its artifacts", () => {
    using scratch = new ScratchRepo();
    const { config, content } = scratch.repo;
    const of = () => config.hashPolicy();
    config.unset("hash-policy");
    expect(of()).toBe("sha3");
    config.set("hash-policy", "0");
    content.put(new Uint8Array(1), { rcvid: 0, isPrivate: false });
    config.unset("hash-policy");
    expect(of()).toBe("auto");
    config.set("hash-policy", "2");
    content.put(new Uint8Array(2), { rcvid: 0, isPrivate: false });
    config.unset("hash-policy");
    expect(of()).toBe("sha3");
  });

  test.each([
    ["0", "sha1", "sha3-256"],
    ["1", "sha1", "sha3-256"],
    ["2", "sha3-256", "sha1"],
    ["3", "sha3-256", undefined],
    ["4", "sha3-256", undefined],
    ["5", "sha3-256", "sha1"],
    ["-1", "sha3-256", "sha1"],
  ] as const)("%s", (value, primary, other) => {
    using scratch = new ScratchRepo();
    scratch.repo.config.set("hash-policy", value);
    expect(scratch.repo.config.hashAlgorithms()).toEqual({ primary, other });
  });
});
