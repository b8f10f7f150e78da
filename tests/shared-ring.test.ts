import { afterAll, expect, test } from "bun:test";
import { type Executor, workerExecutor } from "../src/executor.ts";
import { createRing, RingClosedError, RingReader } from "../src/shared-ring.ts";
import { byteAt, type ringJobs } from "./shared-ring-jobs.ts";

const writer: Executor<ReturnType<typeof ringJobs>> = workerExecutor(
  new URL("./shared-ring-worker.ts", import.meta.url),
  1,
);
afterAll(() => writer.close());

/** A ring whose other end is at work in another thread. */
async function ring(capacityBytes: number, sizes: number[], fails = false) {
  const memory = createRing(capacityBytes);
  await writer.run("started", undefined);
  const written = writer.run("write", { memory, sizes, fails });
  return { memory, reader: new RingReader(memory), written };
}

for (const capacity of [1, 7, 64, 100_000]) {
  test(`every byte comes once and in order through ${capacity} bytes`, async () => {
    const sizes = [0, 1, 5, 64, 65, 1000, 3, 0, 700];
    const { reader, written } = await ring(capacity, sizes);
    reader.begin();
    const total = sizes.reduce((sum, size) => sum + size, 0);
    const came: number[] = [];
    // Pieces other than those that were written.
    for (let length = 1; came.length < total; length = (length * 3 + 1) % 97) {
      const piece = new Uint8Array(Math.min(length, total - came.length));
      expect(reader.read(piece)).toBe(true);
      came.push(...piece);
    }
    expect(reader.read(new Uint8Array(1))).toBe(false);
    expect(came).toEqual(Array.from({ length: total }, (_, place) => byteAt(place)));
    expect(await written).toBe(true);
  });
}

test("counts may wrap around", async () => {
  const { memory, reader, written } = await ring(64, [300]);
  const counts = new Int32Array(memory, 0, 2);
  counts.fill(-100);
  reader.begin();
  const piece = new Uint8Array(300);
  expect(reader.read(piece)).toBe(true);
  expect([...piece]).toEqual(Array.from({ length: 300 }, (_, place) => byteAt(place)));
  expect(await written).toBe(true);
});

test("a writer that ends within what is read, or fails, is an error", async () => {
  for (const fails of [false, true]) {
    const { reader, written } = await ring(16, [10], fails);
    reader.begin();
    expect(reader.read(new Uint8Array(6))).toBe(true);
    expect(() => reader.read(new Uint8Array(6))).toThrow(RingClosedError);
    expect(await written).toBe(true);
  }
});

test("a reader that leaves ends the writer, before its beginning and in the midst", async () => {
  const early = await ring(16, [10]);
  early.reader.leave();
  expect(await early.written).toBe(false);
  const late = await ring(16, [1000]);
  late.reader.begin();
  expect(late.reader.read(new Uint8Array(20))).toBe(true);
  late.reader.leave();
  expect(await late.written).toBe(false);
});
