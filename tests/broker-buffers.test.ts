import { expect, test } from "bun:test";
import { BufferPool } from "../src/broker-buffers.ts";

test("lends the same memory again, never to two at once, and never less than asked for", () => {
  const pool = new BufferPool();
  const sizes = [1, 4096, 4097, 1_000_000];
  const lent = sizes.map((bytes) => pool.take(bytes));
  expect(lent.map((buffer) => buffer.length)).toEqual([4096, 4096, 8192, 1_048_576]);
  expect(new Set(lent.map(({ buffer }) => buffer)).size).toBe(4);
  for (const buffer of lent) pool.give(buffer);
  expect(sizes.map((bytes) => lent.includes(pool.take(bytes)))).toEqual([true, true, true, true]);
  expect(lent).not.toContain(pool.take(1));
});

test("keeps no more than it may", () => {
  const pool = new BufferPool();
  const large = pool.take(8_000_000);
  pool.give(large);
  expect(pool.take(8_000_000)).not.toBe(large);
  const many = Array.from({ length: 10 }, () => pool.take(4_000_000));
  for (const buffer of many) pool.give(buffer);
  const again = Array.from({ length: 10 }, () => pool.take(4_000_000));
  expect(again.filter((buffer) => many.includes(buffer))).toHaveLength(4);
});
