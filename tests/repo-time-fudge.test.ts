import { expect, test } from "bun:test";
import { formatArtifact } from "../src/artifact-format.ts";
import { hashContent } from "../src/hash.ts";
import type { Repo } from "../src/repo.ts";
import type { Rid } from "../src/repo-content.ts";
import { receiveAll } from "../src/repo-receive.ts";
import { settle } from "../src/repo-time-fudge.ts";
import { ScratchRepo } from "./scratch-repo.ts";

const DAY_MS = 86_400_000;
const rid = (n: number) => n as Rid;

/** A chain 1 → 2 → … of check-ins at these times, in milliseconds after day 2,460,000. */
function chain(...timesMs: number[]) {
  const at = (ms: number) => 2_460_000 + ms / DAY_MS;
  const pairs = timesMs
    .slice(1)
    .map(
      (ms, i) =>
        [rid(i + 1), { parentMtime: at(timesMs[i]!), child: rid(i + 2), childMtime: at(ms) }] as const,
    );
  return new Map(pairs);
}

function settledMs(...timesMs: number[]): number[] {
  const settled = settle(chain(...timesMs));
  return timesMs.slice(0, -1).map((_, i) => Math.round((settled.get(rid(i + 1))! - 2_460_000) * DAY_MS));
}

test.each([
  ["in order", [0, 1000, 3000], [0, 1000]],
  ["of one instant", [1000, 1000], [975]],
  ["three of one instant", [1000, 1000, 1000], [950, 975]],
  ["a child older by less than two seconds", [1999, 0], [-25]],
  ["a child older by two seconds", [2000, 0], [2000]],
  ["a child that moves under its parent", [990, 1000, 1000], [950, 975]],
])("check-ins %s", (_what, times, expected) => {
  expect(settledMs(...times)).toEqual(expected);
});

test("no more than thirty steps are taken", () => {
  const times = new Array<number>(40).fill(10_000);
  const expected = times.slice(0, -1).map((_, i) => 10_000 - 25 * Math.min(39 - i, 30));
  expect(settledMs(...times)).toEqual(expected);
});

function checkIns(count: number): Uint8Array[] {
  const made: Uint8Array[] = [];
  for (let i = 0; i < count; i++) {
    const parent = made.at(-1);
    made.push(
      formatArtifact({
        type: "check-in",
        comment: `number ${i}`,
        date: Date.UTC(2024, 0, 1),
        files: [],
        parents: parent === undefined ? [] : [hashContent(parent, "sha3-256")],
        cherrypicks: [],
        tags: [],
        user: "ann",
      }),
    );
  }
  return made;
}

function timeline(repo: Repo): unknown[] {
  return repo.db.prepare("SELECT comment, mtime FROM event ORDER BY mtime, comment").values();
}

function receive(repo: Repo, artifacts: readonly Uint8Array[]): void {
  receiveAll(repo, { onWrong: "throw" }, (batch) => {
    for (const bytes of artifacts) batch.add(bytes);
  });
}

test("many batches give the times of one, from either end", () => {
  using all = new ScratchRepo();
  using forth = new ScratchRepo();
  using back = new ScratchRepo();
  const made = checkIns(35);
  receive(all.repo, made);
  for (const bytes of made) receive(forth.repo, [bytes]);
  for (const bytes of [...made].reverse()) receive(back.repo, [bytes]);
  expect(timeline(all.repo)).toEqual(timeline(forth.repo));
  expect(timeline(back.repo)).toEqual(timeline(forth.repo));
});

test("a time that a tag has set stays", () => {
  using scratch = new ScratchRepo();
  const { repo } = scratch;
  const [first, second] = checkIns(2) as [Uint8Array, Uint8Array];
  const target = hashContent(first, "sha3-256");
  const tags = [{ action: "+", name: "date", target, value: "2024-03-01T00:00:00" }] as const;
  const control = formatArtifact({ type: "control", date: Date.UTC(2024, 1, 1), tags, user: "ann" });
  receive(repo, [first, control]);
  receive(repo, [second]);
  const dates = repo.db.prepare("SELECT datetime(mtime) FROM event WHERE type='ci' ORDER BY objid").values();
  expect(dates).toEqual([["2024-03-01 00:00:00"], ["2024-01-01 00:00:00"]]);
});
