/**
 * The same history twice: by stock in a checkout, and by the check-in engine from bytes. Every check-in
 * must have the same hash, which takes the same manifest to the byte; then the tables must be equal.
 */
import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseDate } from "../../src/julian.ts";
import { systemRandom } from "../../src/random.ts";
import { Repo } from "../../src/repo.ts";
import { addInitialCheckIn, commit } from "../../src/repo-checkin.ts";
import type { CheckInRequest } from "../../src/repo-checkin-place.ts";
import type { FileEdit, FilePut } from "../../src/repo-checkin-tree.ts";
import type { Rid } from "../../src/repo-content.ts";
import { resolveName } from "../../src/repo-name.ts";
import { StandingClock } from "../scratch-repo.ts";
import { TempDir } from "../temp-dir.ts";
import { type Stock, stocks } from "./stock.ts";
import { DERIVED_TABLES, diffDumps, dumpTables, rebuildParity } from "./tables.ts";

const START = "2026-01-31T12:00:00";

const lines = (seed: string, count = 60) =>
  Buffer.from(Array.from({ length: count }, (_, i) => `${seed} line ${i}\n`).join(""));
const edited = (content: Buffer, mark: string) =>
  Buffer.concat([content.subarray(0, 500), Buffer.from(`${mark}\n`), content.subarray(500)]);

/** Stock with a checkout, and our repository, kept in step. */
class Twins {
  readonly stockFile: string;
  readonly ourFile: string;
  readonly repo: Repo;
  private readonly checkout: string;
  private readonly clock = new StandingClock(parseDate(START));

  constructor(
    private readonly stock: Stock,
    temp: TempDir,
  ) {
    this.stockFile = temp.join("stock.fossil");
    this.ourFile = temp.join("ours.fossil");
    this.checkout = temp.folder("checkout");
    stock.okSync(["new", "--date-override", START, "-A", "dev", this.stockFile]);
    const initialize = (repo: Repo) => void addInitialCheckIn(repo, "dev");
    this.repo = Repo.create(this.ourFile, {
      clock: this.clock,
      random: systemRandom,
      user: "dev",
      initialize,
    });
    this.fossil("open", this.stockFile);
    this.set("allow-symlinks", "1");
    this.expectSameTip();
  }

  fossil(...args: string[]): string {
    return this.stock.okSync(args, { cwd: this.checkout });
  }

  set(name: string, value: string): void {
    this.fossil("settings", name, value);
    this.repo.config.set(name, value);
  }

  /** Makes the edits in the checkout. */
  apply(edits: readonly FileEdit[]): void {
    for (const edit of edits) {
      if ("remove" in edit) rmSync(join(this.checkout, edit.name));
      else this.applyPut(edit);
    }
    if (edits.length > 0) this.fossil("addremove", "--dotfiles");
  }

  private applyPut({ name, content, permission, priorName }: FilePut): void {
    const path = join(this.checkout, name);
    if (priorName !== undefined) this.fossil("mv", "--hard", priorName, name);
    if (content !== undefined && permission === "l") {
      rmSync(path, { force: true });
      symlinkSync(Buffer.from(content).toString(), path);
    } else if (content !== undefined) {
      mkdirSync(join(path, ".."), { recursive: true });
      writeFileSync(path, content);
    }
    if (permission === "x") chmodSync(path, 0o755);
    if (permission === "") chmodSync(path, 0o644);
  }

  /** Commits on both sides, ten seconds later each time. Expects the same hash. */
  commit(options: readonly string[], request: Omit<CheckInRequest, "comment" | "user">): Rid {
    this.clock.time += 10_250;
    const date = new Date(this.clock.time).toISOString().slice(0, 23);
    const comment = `check-in at ${date}`;
    this.apply(request.edits);
    this.fossil("commit", "-m", comment, "--date-override", date, "--no-warnings", "--hash", ...options);
    const { rid } = commit(this.repo, { ...request, comment, user: "dev" });
    const theirs = this.currentManifest();
    const ours = Buffer.from(this.repo.content.get(rid)!).toString();
    expect(ours).toBe(theirs);
    return rid;
  }

  rid(name: string): Rid {
    return resolveName(this.repo, name, { type: "ci" });
  }

  private currentManifest(): string {
    return this.fossil("artifact", "current");
  }

  private expectSameTip(): void {
    const ours = Buffer.from(this.repo.content.get(this.rid("tip"))!).toString();
    expect(ours).toBe(this.currentManifest());
  }
}

/** A history with everything a commit can say. */
function history(twins: Twins): void {
  const a = lines("a", 200);
  const c = lines("c");
  twins.commit([], {
    edits: [
      { name: "a.txt", content: a },
      { name: "b.bin", content: Buffer.from([0, 255, 10, 13, 0]) },
      { name: "dir/c.txt", content: c },
      { name: "dir-x", content: Buffer.from("") },
      { name: "é and space", content: Buffer.from("x") },
      { name: "run.sh", content: Buffer.from("#!/bin/sh\n"), permission: "x" },
      { name: "link", content: Buffer.from("dir/c.txt"), permission: "l" },
    ],
  });
  twins.commit(["--tag", "v1.0", "--tag", "a tag", "--bgcolor", "#ffe0e0"], {
    edits: [
      { name: "a.txt", content: edited(a, "one") },
      { name: "b.bin", remove: true },
      { name: "run.sh", permission: "" },
    ],
    tags: ["v1.0", "a tag"],
    color: "#ffe0e0",
  });
  twins.commit([], {
    edits: [
      { name: "dir/d.txt", priorName: "dir/c.txt" },
      { name: "dir/d.txt", content: edited(c, "moved") },
    ],
  });
  twins.commit(["--branch", "feature one", "--branchcolor", "#aabbcc"], {
    edits: [{ name: "a.txt", content: edited(a, "feature") }],
    branch: "feature one",
    branchColor: "#aabbcc",
  });
  twins.fossil("update", "trunk");
  twins.commit([], { edits: [{ name: "new.txt", content: lines("new") }] });
  const feature = twins.rid("tag:feature one");
  twins.fossil("merge", "--integrate", "feature one");
  twins.commit([], {
    edits: [{ name: "a.txt", content: edited(a, "feature") }],
    merges: [{ rid: feature, close: true }],
  });
  twins.commit(["--branch", "side"], {
    edits: [{ name: "side.txt", content: lines("side") }],
    branch: "side",
  });
  const picked = twins.commit([], { edits: [{ name: "pick.txt", content: lines("pick") }], branch: "side" });
  const undone = twins.commit([], { edits: [{ name: "dir-x", content: lines("filled") }], branch: "side" });
  twins.fossil("update", "trunk");
  twins.fossil("merge", "--cherrypick", twins.repo.content.hashOf(picked));
  twins.commit([], {
    edits: [{ name: "pick.txt", content: lines("pick") }],
    cherrypicks: [{ rid: picked, backout: false }],
  });
  twins.fossil("update", "side");
  twins.fossil("merge", "--backout", twins.repo.content.hashOf(undone));
  twins.commit(["--close"], {
    edits: [{ name: "dir-x", content: Buffer.from("") }],
    cherrypicks: [{ rid: undone, backout: true }],
    branch: "side",
    close: true,
  });
  twins.fossil("update", "trunk");
  twins.commit(["--allow-empty", "--mimetype", "text/plain"], {
    edits: [],
    mimetype: "text/plain",
    allow: { empty: true },
  });
}

/** A private branch, merged into a public one, which forgets where from. */
function privateHistory(twins: Twins): void {
  const secret = { name: "secret.txt", content: lines("secret") };
  // Older stock gives private branches a colour of its own.
  const tip = twins.commit(["--private", "--branchcolor", "#fec084"], {
    edits: [secret],
    isPrivate: true,
    branchColor: "#fec084",
  });
  twins.commit([], { edits: [{ name: "secret.txt", content: edited(secret.content, "more") }], parent: tip });
  twins.fossil("update", "trunk");
  const last = twins.rid("tag:private");
  twins.fossil("merge", "private");
  twins.commit([], {
    edits: [{ name: "secret.txt", content: edited(secret.content, "more") }],
    merges: [{ rid: last }],
  });
}

/** Delta manifests: forced, chosen by size, and given up when they no longer pay. */
function deltaHistory(twins: Twins): void {
  const edits = Array.from({ length: 40 }, (_, i) => ({
    name: `many/f${String(i).padStart(2, "0")}`,
    content: Buffer.from(`file ${i}\n`),
  }));
  twins.commit([], { edits });
  twins.set("forbid-delta-manifests", "0");
  twins.commit(["--delta"], {
    edits: [{ name: "many/f00", content: Buffer.from("new\n") }],
    delta: "always",
  });
  twins.commit([], {
    edits: [
      { name: "many/f01", remove: true },
      { name: "zz", content: Buffer.from("after all others\n") },
    ],
  });
  twins.commit([], { edits: edits.slice(5, 25).map(({ name }) => ({ name, content: lines(name, 3) })) });
  twins.commit(["--baseline"], { edits: [{ name: "zz", remove: true }], delta: "never" });
}

function publicUnsent(file: string): string[] {
  const { unsent = [], private: hidden = [] } = Object.fromEntries(dumpTables(file, ["unsent", "private"]));
  return unsent.filter((row) => !hidden.includes(row));
}

describe.each(stocks().map((stock) => [stock.version, stock] as const))("stock %s", (_, stock) => {
  test("makes the same check-ins and the same tables", async () => {
    using temp = new TempDir();
    const twins = new Twins(stock, temp);
    history(twins);
    privateHistory(twins);
    deltaHistory(twins);
    twins.repo.close();
    // Stock does not announce content that a public check-in makes public (a rebuild would), and keeps
    // private artifacts among the unsent.
    const tables = [...DERIVED_TABLES, "delta", "private"].filter((name) => name !== "unclustered");
    const ours = dumpTables(twins.ourFile, tables);
    for (const table of ["delta", "private", "mlink", "cherrypick"]) {
      expect({ table, rows: ours.get(table)!.length }).not.toEqual({ table, rows: 0 });
    }
    expect(diffDumps(ours, dumpTables(twins.stockFile, tables), ["ours", "stock"])).toEqual([]);
    expect(publicUnsent(twins.ourFile)).toEqual(publicUnsent(twins.stockFile));
    expect(await rebuildParity(twins.ourFile, stock)).toEqual([]);
    expect(stock.okSync(["test-integrity", "-R", twins.ourFile])).toContain("0 errors");
    expect(stock.okSync(["test-parse-all-blobs", "-R", twins.ourFile])).toContain("0 errors");
  });
});

test.each(stocks().map((stock) => [stock.version, stock] as const))(
  "stock %s goes on from our check-ins",
  async (_, stock) => {
    using temp = new TempDir();
    const path = temp.join("ours.fossil");
    const clock = new StandingClock(parseDate(START));
    const initialize = (repo: Repo) => void addInitialCheckIn(repo, "dev");
    const repo = Repo.create(path, { clock, random: systemRandom, user: "dev", initialize });
    repo.config.set("allow-symlinks", "1");
    const edits = [
      { name: "a.txt", content: lines("a") },
      { name: "run.sh", content: Buffer.from("#!/bin/sh\n"), permission: "x" as const },
      { name: "é/link", content: Buffer.from("../a.txt"), permission: "l" as const },
    ];
    clock.time += 5000;
    commit(repo, { edits, comment: "by us", user: "dev" });
    repo.close();
    const cwd = temp.folder("checkout");
    const fossil = (...args: string[]) => stock.okSync(args, { cwd });
    fossil("open", path);
    // The R card from the disk, the archive and the manifest, and as the manifest has it.
    const sums = fossil("test-agg-cksum").match(/[0-9a-f]{32}/g)!;
    expect([sums.length, new Set(sums).size]).toEqual([4, 1]);
    expect(fossil("changes")).toBe("");
    writeFileSync(join(cwd, "a.txt"), lines("changed"));
    fossil("commit", "-m", "by stock", "--no-warnings");
    expect(fossil("timeline", "-t", "ci", "-n", "3")).toContain("by us");
    fossil("close");
    expect(await rebuildParity(path, stock)).toEqual([]);
    const again = Repo.open(path, {
      mode: "write",
      clock: new StandingClock(Date.now() + 5000),
      random: systemRandom,
    });
    const third = commit(again, {
      edits: [{ name: "a.txt", remove: true }],
      comment: "by us again",
      user: "dev",
    });
    expect(third.branch).toBe("trunk");
    again.close();
    expect(await rebuildParity(path, stock)).toEqual([]);
    expect(stock.okSync(["test-integrity", "-R", path])).toContain("0 errors");
  },
);
