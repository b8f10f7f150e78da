import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { canonicalJson } from "../src/json-canonical.ts";
import {
  JSON_MAX_DEPTH,
  TABLE_COLUMN_MAX_COUNT,
  TABLE_NAME_MAX_LENGTH,
  TABLE_ROW_MAX_BYTES,
} from "../src/limits.ts";
import type { Repo } from "../src/repo.ts";
import {
  type Column,
  type ConflictRule,
  defineTable,
  getTable,
  listTables,
  removeTable,
} from "../src/repo-table.ts";
import { deleteRow, putRow, tableRows } from "../src/repo-table-row.ts";
import { ScratchRepo } from "./scratch-repo.ts";

const column = (name: string, type: Column["type"] = "text", pk = false): Column => ({ name, type, pk });
const ID = column("id", "text", true);
const ALL = [
  ID,
  column("n", "integer"),
  column("r", "real"),
  column("b", "blob"),
  column("j", "json"),
  column("t"),
];

function defined(repo: Repo, conflict: ConflictRule = "mtime-wins", columns: readonly Column[] = ALL) {
  defineTable(repo, "things", { columns, conflict });
  return getTable(repo, "things");
}
const code = (expected: string) => expect.objectContaining({ code: expected });

describe("definitions", () => {
  test("a table is there, can get columns, and goes", () => {
    using scratch = new ScratchRepo();
    const { repo } = scratch;
    expect(listTables(repo)).toEqual([]);
    expect(defineTable(repo, "a", { columns: [ID], conflict: "self-write" })).toBe(true);
    expect(defineTable(repo, "a", { columns: [ID], conflict: "self-write" })).toBe(false);
    putRow(repo, getTable(repo, "a"), { user: "ann", values: { id: "x" } });
    expect(defineTable(repo, "a", { columns: [column("new", "json"), ID], conflict: "self-write" })).toBe(
      true,
    );
    expect(putRow(repo, getTable(repo, "a"), { user: "ann", values: { id: "x", new: [1] } })).toMatchObject({
      applied: true,
      row: { values: { id: "x", new: [1] } },
    });
    const differing: readonly [readonly Column[], ConflictRule][] = [
      [[ID], "self-write"],
      [[column("id", "integer", true), column("new", "json")], "self-write"],
      [[ID, column("new", "json"), column("key", "text", true)], "self-write"],
      [[ID, column("new", "json")], "mtime-wins"],
    ];
    for (const [columns, conflict] of differing) {
      expect(() => defineTable(repo, "a", { columns, conflict })).toThrow(code("table-differs"));
    }
    removeTable(repo, "a");
    expect(() => getTable(repo, "a")).toThrow(code("no-such-table"));
    expect(defineTable(repo, "a", { columns: [ID], conflict: "owner-write" })).toBe(true);
  });

  test.each(["", "A", "1a", "a-b", "a b", 'a"', "_a", "ü"])("%j is no name", (name) => {
    using scratch = new ScratchRepo();
    expect(() => defineTable(scratch.repo, name, { columns: [ID], conflict: "mtime-wins" })).toThrow(
      code("table-name"),
    );
    const columns = [ID, column(name)];
    expect(() => defineTable(scratch.repo, "a", { columns, conflict: "mtime-wins" })).toThrow(
      code("table-name"),
    );
  });

  test("the longest name, and one letter more", () => {
    using scratch = new ScratchRepo();
    const longest = "a".repeat(TABLE_NAME_MAX_LENGTH);
    expect(defineTable(scratch.repo, longest, { columns: [ID], conflict: "mtime-wins" })).toBe(true);
    expect(() => defineTable(scratch.repo, `${longest}a`, { columns: [ID], conflict: "mtime-wins" })).toThrow(
      code("table-name"),
    );
  });

  test("the most columns, and one more", () => {
    using scratch = new ScratchRepo();
    const most = [ID, ...Array.from({ length: TABLE_COLUMN_MAX_COUNT - 1 }, (_, i) => column(`c${i}`))];
    expect(defineTable(scratch.repo, "a", { columns: most, conflict: "mtime-wins" })).toBe(true);
    const more = [...most, column("more")];
    expect(() => defineTable(scratch.repo, "b", { columns: more, conflict: "mtime-wins" })).toThrow(
      code("table-definition"),
    );
  });

  test.each([
    [[]],
    [[column("a")]],
    [[ID, ID]],
    [[column("j", "json", true)]],
    [[column("a", "date" as "text", true)]],
  ])("%j is no definition", (columns) => {
    using scratch = new ScratchRepo();
    expect(() => defineTable(scratch.repo, "a", { columns, conflict: "mtime-wins" })).toThrow(
      code("table-definition"),
    );
  });
});

describe("rows", () => {
  test("every type is read as it was written", () => {
    using scratch = new ScratchRepo();
    const table = defined(scratch.repo);
    const values = {
      id: "ü'; DROP TABLE",
      n: -7,
      r: 0.25,
      b: Uint8Array.of(0, 255),
      j: { b: [1, null], a: "x" },
      t: "",
    };
    const outcome = putRow(scratch.repo, table, { user: "ann", values });
    expect(outcome).toMatchObject({ applied: true, row: { values, owner: "", isDeleted: false } });
    expect(tableRows(scratch.repo, table).map((row) => row.values)).toEqual([values]);
    expect(tableRows(scratch.repo, table, { where: { j: { a: "x", b: [1, null] } } })).toHaveLength(1);
    expect(tableRows(scratch.repo, table, { where: { n: 8 } })).toEqual([]);
  });

  test.each([
    [{ id: "x", n: 1.5 }, "row-value"],
    [{ id: "x", n: "1" }, "row-value"],
    [{ id: "x", r: Number.NaN }, "row-value"],
    [{ id: "x", t: "a\0b" }, "row-value"],
    [{ id: "x", b: "text" }, "row-value"],
    [{ id: "x", other: 1 }, "no-such-column"],
    [{ id: null }, "row-key"],
    [{ n: 1 }, "row-key"],
  ])("%j is refused", (values, expected) => {
    using scratch = new ScratchRepo();
    const table = defined(scratch.repo);
    expect(() => putRow(scratch.repo, table, { user: "ann", values })).toThrow(code(expected));
  });

  test("the largest row, and one byte more", () => {
    using scratch = new ScratchRepo();
    const table = defined(scratch.repo);
    const put = (size: number) =>
      putRow(scratch.repo, table, { user: "a", values: { id: "x", t: "y".repeat(size - 1) } });
    expect(put(TABLE_ROW_MAX_BYTES).applied).toBe(true);
    expect(() => put(TABLE_ROW_MAX_BYTES + 1)).toThrow(code("row-size"));
  });

  test("the deepest JSON, and one level more", () => {
    const nested = (depth: number) => JSON.parse("[".repeat(depth) + "]".repeat(depth));
    expect(canonicalJson(nested(JSON_MAX_DEPTH + 1))).toHaveLength(2 * JSON_MAX_DEPTH + 2);
    expect(() => canonicalJson(nested(JSON_MAX_DEPTH + 2))).toThrow(code("json-depth"));
    expect(() => canonicalJson(nested(50_000))).toThrow(code("json-depth"));
    expect(canonicalJson({ b: 1, a: [{ z: undefined, y: "\n" }] })).toBe('{"a":[{"y":"\\n"}],"b":1}');
  });

  test("columns that are left out stay; a deleted row leaves its key", () => {
    using scratch = new ScratchRepo();
    const { repo, clock } = scratch;
    const table = defined(repo);
    putRow(repo, table, { user: "ann", values: { id: "x", n: 1, t: "t" } });
    clock.time += 1;
    putRow(repo, table, { user: "bob", values: { id: "x", n: 2 } });
    expect(tableRows(repo, table)[0]!.values).toMatchObject({ n: 2, t: "t" });
    clock.time += 1;
    expect(deleteRow(repo, table, { user: "bob", values: { id: "x" } }).applied).toBe(true);
    expect(tableRows(repo, table)).toEqual([]);
    expect(tableRows(repo, table, { withDeleted: true })).toMatchObject([
      { isDeleted: true, values: { id: "x", t: null } },
    ]);
    expect(putRow(repo, table, { user: "bob", mtime: clock.time - 1, values: { id: "x" } })).toEqual({
      applied: false,
      why: "older",
    });
    clock.time += 1;
    expect(putRow(repo, table, { user: "bob", values: { id: "x" } }).applied).toBe(true);
  });

  test("whose row it is", () => {
    for (const conflict of ["self-write", "owner-write"] as const) {
      using scratch = new ScratchRepo();
      const { repo, clock } = scratch;
      const table = defined(repo, conflict);
      const put = (user: string, id: string) =>
        putRow(repo, table, { user, mtime: clock.time++, values: { id } });
      expect(put("ann", "x")).toMatchObject({ applied: true, row: { owner: "ann" } });
      expect(put("bob", "x")).toEqual({ applied: false, why: "not-owner" });
      expect(deleteRow(repo, table, { user: "bob", values: { id: "x" } }).applied).toBe(false);
      expect(put("ann", "x").applied).toBe(true);
      repo.db.exec("UPDATE fx_x_things SET _owner=''");
      expect(put("bob", "x").applied).toBe(conflict === "self-write");
    }
  });

  test("mtime-wins: whatever the order, the same rows remain", () => {
    const write = fc.record({
      id: fc.constantFrom("x", "y"),
      n: fc.integer({ min: 0, max: 3 }),
      mtime: fc.integer({ min: 1, max: 4 }),
      isDeleted: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(write, { maxLength: 8 }), fc.infiniteStream(fc.nat()), (writes, chance) => {
        const play = (order: typeof writes) => {
          using scratch = new ScratchRepo();
          const table = defined(scratch.repo, "mtime-wins", [ID, column("n", "integer")]);
          for (const { id, n, mtime, isDeleted } of order) {
            const change = { user: "a", mtime, values: isDeleted ? { id } : { id, n } };
            if (isDeleted) deleteRow(scratch.repo, table, change);
            else putRow(scratch.repo, table, change);
          }
          return tableRows(scratch.repo, table, { withDeleted: true });
        };
        const shuffled = writes.map((one) => [chance.next().value, one] as const).sort(([a], [b]) => a - b);
        expect(play(shuffled.map(([, one]) => one))).toEqual(play(writes));
      }),
      { seed: 3, numRuns: 25 },
    );
  });
});
