import { afterEach, describe, expect, test } from "bun:test";
import { LimitError } from "../src/errors.ts";
import { type Executor, inlineExecutor, workerExecutor } from "../src/executor.ts";
import { type TestJobs, testJobs } from "./executor-jobs.ts";

const url = new URL("./executor-worker.ts", import.meta.url);
const open: Executor<TestJobs>[] = [];
const using = (executor: Executor<TestJobs>) => {
  open.push(executor);
  return executor;
};

afterEach(async () => {
  for (const executor of open.splice(0)) await executor.close();
});

describe.each([
  ["inline", () => using(inlineExecutor(testJobs()))],
  ["one worker", () => using(workerExecutor<TestJobs>(url, 1))],
  ["two workers", () => using(workerExecutor<TestJobs>(url, 2))],
])("%s", (_, make) => {
  test("runs jobs, plain and asynchronous", async () => {
    const executor = make();
    expect(await executor.run("add", [2, 3])).toBe(5);
    expect(await executor.run("later", "x")).toBe("x");
    expect(await Promise.all([1, 2, 3, 4].map((n) => executor.run("add", [n, n])))).toEqual([2, 4, 6, 8]);
    expect(executor.pendingCount).toBe(0);
  });

  test("an error arrives as what it was", async () => {
    const error: unknown = await make()
      .run("fail", undefined)
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(LimitError);
    expect(error).toMatchObject({
      code: "too-much",
      message: "more than enough",
      hint: "take less",
      data: { count: 3 },
    });
  });

  test("a defect is an error too, and the next job runs", async () => {
    const executor = make();
    expect(executor.run("crash", undefined)).rejects.toThrow("not on purpose");
    expect(await executor.run("add", [1, 1])).toBe(2);
  });

  test("bytes come back whole", async () => {
    expect(await make().run("double", Uint8Array.of(1, 2, 3))).toEqual(Uint8Array.of(2, 4, 6));
  });
});

describe("workers", () => {
  test("each keeps its own state, and runOnAll reaches every one that has started", async () => {
    const executor = using(workerExecutor<TestJobs>(url, 2));
    expect(await executor.runOnAll("count", undefined)).toEqual([]);
    await executor.run("later", "x");
    expect(await executor.runOnAll("count", undefined)).toEqual([1]);
    await Promise.all([executor.run("later", "x"), executor.run("later", "y")]);
    expect(await executor.runOnAll("count", undefined)).toEqual([2, 1]);
  });

  test("what is transferred has moved", async () => {
    const executor = using(workerExecutor<TestJobs>(url, 1));
    const bytes = Uint8Array.of(1, 2, 3);
    await executor.run("double", bytes, [bytes.buffer]);
    expect(bytes).toHaveLength(0);
  });

  test("closing lets jobs finish and refuses new ones", async () => {
    const executor = workerExecutor<TestJobs>(url, 1);
    const last = executor.run("add", [20, 22]);
    const closed = executor.close();
    expect(await last).toBe(42);
    await closed;
    expect(executor.run("add", [1, 1])).rejects.toThrow("closed");
  });

  test("an argument that cannot be sent is an error at once", () => {
    const executor = using(workerExecutor<TestJobs>(url, 1));
    expect(executor.run("later", (() => {}) as never)).rejects.toThrow();
  });
});
