import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { EMPTY, utf8 } from "../src/bytes.ts";
import { NameError } from "../src/errors.ts";
import { type EpochMs, parseDate } from "../src/julian.ts";
import type { Repo } from "../src/repo.ts";
import { branchMergeIn, branchOf, branchRoot, branchStart } from "../src/repo-branch.ts";
import { addInitialCheckIn, commit } from "../src/repo-checkin.ts";
import type { CheckInRequest } from "../src/repo-checkin-place.ts";
import type { Rid } from "../src/repo-content.ts";
import { findName, type NameCandidate, resolveName } from "../src/repo-name.ts";
import { endOfTime, isCompactTime, isPunctuatedTime } from "../src/repo-name-time.ts";
import { describeEntry, timeline, timelineEntry } from "../src/repo-timeline.ts";
import { ScratchRepo } from "./scratch-repo.ts";

const DAY = 86_400_000;
const START = parseDate("2026-01-01T12:00:00");

/**
 * Days 0 to 6:   0 ── 1 ── 2 ──── 4 ──── 6      trunk (0 is empty; 2 is tagged "v1", 4 "v1" too)
 *                          └─ 3 ─── 5 ──┘       work (5 merges 4; 6 merges 5)
 */
class History implements Disposable {
  readonly scratch = new ScratchRepo({
    initialize: (repo) => {
      (repo.clock as { time?: EpochMs }).time = START;
      addInitialCheckIn(repo, "ann");
    },
  });
  readonly repo: Repo = this.scratch.repo;
  readonly rids: Rid[] = [this.repo.db.prepare("SELECT rid FROM blob").value<Rid>()!];

  constructor() {
    const text = (version: number) => utf8(`${"a line\n".repeat(20)}version ${version}\n`);
    this.commit("one", { edits: [{ name: "a.txt", content: text(1) }] });
    this.commit("two", { edits: [{ name: "dir/b.txt", content: text(2) }], tags: ["v1"] });
    this.commit("three", { edits: [{ name: "dir/c.txt", content: text(3) }], branch: "work" });
    this.commit("four", {
      edits: [{ name: "a.txt", content: text(4) }],
      parent: this.rids[2]!,
      tags: ["v1"],
    });
    this.commit("five", { edits: [], parent: this.rids[3]!, merges: [{ rid: this.rids[4]! }] });
    this.commit("six", { edits: [], parent: this.rids[4]!, merges: [{ rid: this.rids[5]! }], user: "bob" });
  }

  private commit(comment: string, request: Pick<CheckInRequest, "edits"> & Partial<CheckInRequest>): void {
    this.scratch.clock.time = START + this.rids.length * DAY;
    this.rids.push(commit(this.repo, { comment, user: "ann", ...request }).rid);
  }

  /** Which check-in of the drawing a name stands for. */
  day(name: string, checkout?: number): number | undefined {
    const options = checkout === undefined ? {} : { checkout: this.rids[checkout]! };
    const rid = findName(this.repo, name, { type: "ci", ...options });
    return rid === undefined ? undefined : this.rids.indexOf(rid);
  }

  [Symbol.dispose](): void {
    this.scratch[Symbol.dispose]();
  }
}

describe("names", () => {
  test.each([
    ["tip", 6],
    ["trunk", 6],
    ["work", 5],
    ["v1", 4],
    ["tag:v1", 4],
    ["root:work", 2],
    ["start:work", 3],
    ["merge-in:work", 4],
    ["root:trunk", 0],
    ["start:trunk", 0],
    ["root:start:work", 2],
    ["2026-01-03", 2],
    ["2026-01-03T11:59", 1],
    ["2026-01-03 12:00", 2],
    ["20260103", 2],
    ["20260103115959", 1],
    ["date:20260104", 3],
    ["date:2025-12-31", undefined],
    ["trunk:2026-01-04", 2],
    ["v1:2026-01-04", 2],
    ["v1:20260104utc", 2],
    ["merge-in:work:2026-01-04", 2],
    ["trunk:2025-01-01", undefined],
    ["trunk.", 6],
    ["trunk)?", 6],
    ["trunk)?!", undefined],
    ["v1?", undefined],
    ["nothing", undefined],
    ["", undefined],
    ["prev", undefined],
    ["abc", undefined],
  ] as const)("%j", (name, day) => {
    using history = new History();
    expect(history.day(name)).toBe(day);
  });

  test("relative to a checkout", () => {
    using history = new History();
    const at = (name: string) => history.day(name, 4);
    expect(["current", "prev", "previous", "parent", "next", "root:current"].map(at)).toEqual([
      4, 2, 2, 2, 6, 0,
    ]);
    expect(history.day("prev", 0)).toBeUndefined();
    expect(history.day("next", 6)).toBeUndefined();
    expect(findName(history.repo, "current", { type: "w", checkout: history.rids[4]! })).toBeUndefined();
  });

  test("hashes, by any prefix of four digits or more, in any case, in brackets", () => {
    using history = new History();
    const { content } = history.repo;
    for (const [day, rid] of history.rids.entries()) {
      const hash = content.hashOf(rid);
      for (const name of [
        hash,
        hash.slice(0, 10),
        hash.slice(0, 16).toUpperCase(),
        `[${hash.slice(0, 12)}]`,
      ]) {
        expect(history.day(name)).toBe(day);
      }
      expect(history.day(hash.slice(0, 3))).toBeUndefined();
      expect(findName(history.repo, `rid:${rid}`)).toBe(rid);
    }
    expect(findName(history.repo, "rid:99999")).toBeUndefined();
  });

  test("what is ambiguous lists what it could be", () => {
    using history = new History();
    const { db } = history.repo;
    const hash = history.repo.content.hashOf(history.rids[1]!);
    const other = `${hash.slice(0, 8)}${"0".repeat(56)}`;
    db.prepare("INSERT INTO blob(rcvid,size,uuid,content) VALUES(0,0,?,NULL)").run(other);
    let error: NameError | undefined;
    try {
      resolveName(history.repo, hash.slice(0, 8));
    } catch (thrown) {
      error = thrown as NameError;
    }
    expect(error).toBeInstanceOf(NameError);
    expect([error!.code, error!.message]).toEqual([
      "name-ambiguous",
      `${hash.slice(0, 8)} is ambiguous: 2 artifacts begin so`,
    ]);
    expect(error!.hint).toContain(`${hash.slice(0, 16)} (check-in of 2026-01-02 12:00:00)`);
    expect(error!.hint).toContain(`${other.slice(0, 16)} (file)`);
    const candidates = error!.data["candidates"] as NameCandidate[];
    expect(candidates.map((candidate) => candidate.hash as string).sort()).toEqual([hash, other].sort());
    expect(history.day(hash.slice(0, 8))).toBe(1);
    for (let i = 0; i < 30; i++) {
      db.prepare("INSERT INTO blob(rcvid,size,uuid,content) VALUES(0,0,?,NULL)").run(
        `${other.slice(0, 60)}${1000 + i}`,
      );
    }
    expect(() => resolveName(history.repo, hash.slice(0, 8))).toThrow("more than 20");
  });

  test("what is unknown says what could be named", () => {
    using history = new History();
    const hint = (name: string) => {
      try {
        resolveName(history.repo, name);
      } catch (error) {
        return (error as NameError).hint;
      }
    };
    expect(hint("nosuch")).toContain("a branch, a tag, tip, a date");
    expect(hint("current")).toContain("relative to a checkout");
  });

  test("of type w, a wiki page by its title: the newest edit", () => {
    using history = new History();
    const { repo, rids } = history;
    repo.db.exec(`INSERT INTO tag(tagid,tagname) VALUES(100,'wiki-Start page'),(101,'sym-Start page');
      INSERT INTO tagxref(tagid,tagtype,srcid,origid,mtime,rid)
        SELECT 100,1,objid,objid,mtime,objid FROM event WHERE objid IN (${rids[3]},${rids[4]});
      INSERT INTO tagxref(tagid,tagtype,srcid,origid,mtime,rid)
        SELECT 101,1,objid,objid,mtime,objid FROM event WHERE objid=${rids[5]};
      UPDATE event SET type='w' WHERE objid IN (${rids[3]},${rids[4]})`);
    const find = (type: "w" | "ci" | "*") => findName(repo, "Start page", { type });
    expect([find("w"), find("ci"), find("*")]).toEqual([rids[4], rids[5], rids[5]]);
  });

  test("a tag that looks like a hash gives way to the hash", () => {
    using history = new History();
    const { repo, rids } = history;
    const hash = repo.content.hashOf(rids[1]!).slice(0, 6);
    commit(repo, {
      edits: [],
      comment: "tagged",
      user: "ann",
      tags: [hash],
      parent: rids[6]!,
      allow: { empty: true },
    });
    expect([history.day(hash), repo.content.hashOf(findName(repo, `tag:${hash}`)!)]).toEqual([
      1,
      repo.content.hashOf(findName(repo, "tip")!),
    ]);
  });
});

describe("branches", () => {
  test("of a check-in, its root, start and merge-in", () => {
    using history = new History();
    const { repo, rids } = history;
    expect(rids.map((rid) => branchOf(repo, rid))).toEqual([
      ...["trunk", "trunk", "trunk", "work", "trunk", "work", "trunk"],
    ]);
    const days = (of: (repo: Repo, rid: Rid) => Rid | undefined) =>
      rids.map((rid) => rids.indexOf(of(repo, rid)!));
    expect(days(branchRoot)).toEqual([0, 0, 0, 2, 0, 2, 0]);
    expect(days(branchStart)).toEqual([0, 0, 0, 3, 0, 3, 0]);
    expect(days(branchMergeIn)).toEqual([0, 1, 2, 2, 4, 4, 6]);
    const merges = [{ rid: rids[3]! }, { rid: rids[1]! }];
    const late = commit(repo, {
      edits: [],
      comment: "late",
      user: "ann",
      branch: "late",
      parent: rids[6]!,
      merges,
    });
    expect(branchRoot(repo, late.rid)).toBe(rids[6]!);
  });
});

describe("times in names", () => {
  const ms = (time: string) => parseDate(time);

  test.each([
    ["2026-01-31", "2026-01-31T23:59:59.999"],
    ["2026-01-31T10:15", "2026-01-31T10:15:59.999"],
    ["2026-01-31 10:15:20", "2026-01-31T10:15:20.999"],
    ["2026-01-31T10:15:20Z", "2026-01-31T10:15:20.999"],
    ["2026-01-31T10:15:20.5", "2026-01-31T10:15:20.600"],
    ["2026-01-31T10:15:20.123", "2026-01-31T10:15:20.124"],
    ["2026-01-31T10:15:20.999", "2026-01-31T10:15:20.999"],
    ["2026-01-31T10:15+02:00", "2026-01-31T08:15:00"],
    ["20260131", "2026-01-31T23:59:59.999"],
    ["202601311015", "2026-01-31T10:15:59.999"],
    ["20260131101520z", "2026-01-31T10:15:20.999"],
  ])("%s ends at %s", (name, end) => {
    expect(endOfTime(name)).toBe(ms(end));
  });

  test.each(["", "2026-13-01", "2026-01-31T25", "20261301", "19690101", "202601312561", "now"])(
    "%j is none",
    (name) => {
      expect(endOfTime(name)).toBeUndefined();
    },
  );

  test("what looks like one", () => {
    expect([isPunctuatedTime("2026-01-31 and so on"), isPunctuatedTime("2026-1-31")]).toEqual([true, false]);
    expect([isCompactTime("20260131"), isCompactTime("2026013"), isCompactTime("20269931")]).toEqual([
      true,
      false,
      false,
    ]);
  });
});

describe("timeline", () => {
  const comments = (history: History, query: Parameters<typeof timeline>[1]) =>
    timeline(history.repo, query).map(({ comment }) => comment);

  test("newest first, or oldest, in pages", () => {
    using history = new History();
    expect(comments(history, { limit: 3 })).toEqual(["six", "five", "four"]);
    expect(comments(history, { limit: 2, offset: 3 })).toEqual(["three", "two"]);
    expect(comments(history, { limit: 2, order: "oldest-first" })).toEqual(["initial empty check-in", "one"]);
    expect(comments(history, {})).toHaveLength(7);
  });

  test("chosen by type, user, branch, tag, file, folder and time, and all together", () => {
    using history = new History();
    expect(comments(history, { type: "w" })).toEqual([]);
    expect(comments(history, { user: "bob" })).toEqual(["six"]);
    expect(comments(history, { branch: "work" })).toEqual(["five", "three"]);
    expect(comments(history, { branch: "v1" })).toEqual([]);
    expect(comments(history, { file: "a.txt", branch: "trunk" })).toEqual(["four", "one"]);
    expect(comments(history, { file: "dir/" })).toEqual(comments(history, { file: "dir" }));
    expect(comments(history, { file: "dir" })).toContain("two");
    expect(comments(history, { file: "di" })).toEqual([]);
    const [since, until] = [START + 2 * DAY, START + 4 * DAY];
    expect(comments(history, { since, until })).toEqual(["four", "three", "two"]);
    expect(comments(history, { since, until, branch: "trunk", limit: 1 })).toEqual(["four"]);
  });

  test("an entry and what it says", () => {
    using history = new History();
    const { repo, rids } = history;
    const entry = timelineEntry(repo, rids[2]!)!;
    expect(entry).toMatchObject({
      type: "ci",
      date: START + 2 * DAY,
      user: "ann",
      branch: "trunk",
      tags: ["trunk", "v1"],
      parentCount: 1,
      childCount: 2,
      isFork: false,
      isLeaf: false,
      isClosed: false,
      isPrivate: false,
    });
    const name = `[${entry.hash.slice(0, 10)}]`;
    expect(describeEntry(entry)).toBe(`${name} *BRANCH* two (user: ann tags: trunk, v1)`);
    const tip = timelineEntry(repo, rids[6]!)!;
    expect([tip.isLeaf, tip.parentCount]).toEqual([true, 2]);
    expect(describeEntry(tip)).toContain("*MERGE* six (user: bob");
    expect(timelineEntry(repo, 9999 as Rid)).toBeUndefined();
  });

  test("a fork", () => {
    using history = new History();
    const { repo, rids } = history;
    const edits = [{ name: "f.txt", content: EMPTY }];
    commit(repo, { edits, comment: "fork", user: "ann", parent: rids[4]!, allow: { fork: true } });
    expect(describeEntry(timelineEntry(repo, rids[4]!)!)).toContain("*FORK*");
  });

  test("overrides count, wiki edits are told by their mark", () => {
    using history = new History();
    const { repo, rids } = history;
    repo.db.prepare("UPDATE event SET ecomment='better', euser='eve' WHERE objid=?").run(rids[1]!);
    expect(timelineEntry(repo, rids[1]!)).toMatchObject({ comment: "better", user: "eve" });
    const entry = { ...timelineEntry(repo, rids[1]!)!, type: "w" as const };
    const said = ["+New", ":Changed", "-Gone"].map((comment) =>
      describeEntry({ ...entry, comment }).slice(13),
    );
    expect(said).toEqual([
      'Add wiki page "New" (user: eve)',
      'Edit to wiki page "Changed" (user: eve)',
      'Delete wiki page "Gone" (user: eve)',
    ]);
  });
});

/** A prefix of 4 digits or more stands for the one artifact whose hash begins with it; of several none is taken, and all are named. */
test("prefixes of hashes, of any artifacts", () => {
  using scratch = new ScratchRepo();
  const { db, content } = scratch.repo;
  // Stored as an empty artifact: only the names count here.
  const insert = db.prepare("INSERT INTO blob(size,uuid,content) VALUES(0,?,x'')");
  const digit = fc.constantFrom("a", "b");
  const hash = fc
    .array(digit, { minLength: 40, maxLength: 40 })
    .map((digits) => `ab${digits.join("")}`.slice(0, 40));
  fc.assert(
    fc.property(
      fc.uniqueArray(hash, { minLength: 1, maxLength: 8 }),
      fc.nat(),
      fc.integer({ min: 4, max: 40 }),
      (hashes, pick, length) => {
        db.exec("DELETE FROM blob");
        for (const one of hashes) insert.run(one);
        const prefix = hashes[pick % hashes.length]!.slice(0, length);
        const meant = hashes.filter((one) => one.startsWith(prefix));
        if (meant.length === 1) {
          expect(content.hashOf(findName(scratch.repo, prefix.toUpperCase())!) as string).toBe(meant[0]!);
          return;
        }
        const candidates = (() => {
          try {
            return String(resolveName(scratch.repo, prefix));
          } catch (error) {
            if (!(error instanceof NameError)) throw error;
            return [
              error.code,
              (error.data["candidates"] as NameCandidate[]).map((one) => one.hash as string).sort(),
            ];
          }
        })();
        expect(candidates).toEqual(["name-ambiguous", [...meant].sort()]);
      },
    ),
    { seed: 3, numRuns: 200 },
  );
});
