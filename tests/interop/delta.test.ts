/**
 * The delta codec against stock's. Stock's SQL shell has its codec as functions (`delta_create`, `delta_apply`), so
 * that one process answers for a whole batch; one pair also goes through the commands made for it.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { equal, latin1, toHex } from "../../src/bytes.ts";
import { DeltaReader, writeNumber } from "../../src/delta.ts";
import { applyDelta } from "../../src/delta-decode.ts";
import { createDelta } from "../../src/delta-encode.ts";
import { FormatError, LimitError } from "../../src/errors.ts";
import { type Random, randomBelow, seededRandom } from "../../src/random.ts";
import { evolvingSource, type Pair, realisticPairs } from "../delta-pairs.ts";
import { TempDir } from "../temp-dir.ts";
import { type Stock, stocks } from "./stock.ts";

/** Runs SQL statements, one a line, those that fail included. */
function runSql(stock: Stock, dir: TempDir, statements: readonly string[]): string {
  const input = `.bail off\n.headers off\n.mode list\n${statements.join(";\n")};\nSELECT 'all done';\n`;
  const { code, stdout, stderr } = stock.runSync(["sql", "--no-repository"], { cwd: dir.path, input });
  // 1 where a statement failed, as many here are meant to; more is a crash.
  if (code > 1 || !stdout.endsWith("all done\n"))
    throw new Error(`fossil ${stock.version} sql ended with ${code}: ${stderr.slice(-500)}`);
  return stdout;
}

/** Pairs at the edges of the format and of the window, and a good many random ones. */
function edgePairs(random: Random): Pair[] {
  const pairs: Pair[] = [];
  const add = (source: Uint8Array, target: Uint8Array) => pairs.push({ name: "edge", source, target });
  const bytes = random.bytes(200);
  for (const size of [0, 1, 15, 16, 17, 31, 32, 33]) {
    add(bytes.subarray(0, size), bytes.subarray(0, size));
    add(bytes.subarray(0, size), bytes.subarray(0, 100));
    add(bytes, bytes.subarray(100 - size, 100));
    add(bytes.subarray(0, size), new Uint8Array(50));
  }
  for (let i = 0; i < 60; i++) {
    const source = random.bytes(randomBelow(random, 3000)).map((byte) => (i % 2 === 0 ? byte : byte & 3));
    const parts = Array.from({ length: 1 + randomBelow(random, 8) }, () => {
      const at = randomBelow(random, source.length + 1);
      return randomBelow(random, 3) === 0
        ? random.bytes(randomBelow(random, 60))
        : source.subarray(at, at + randomBelow(random, 400));
    });
    add(source, new Uint8Array(Buffer.concat(parts)));
  }
  return pairs;
}

describe.each(stocks().map((stock) => [stock.version, stock] as const))("stock %s", (_, stock) => {
  test("each applies what the other makes, and ours are no more than 5 % larger", () => {
    using dir = new TempDir("delta");
    const pairs = [...realisticPairs(11n), ...realisticPairs(12n, 3), ...edgePairs(seededRandom(13n))];
    const ours = pairs.map(({ source, target }) => createDelta(source, target));
    const statements = pairs.flatMap(({ source, target }, i) => {
      dir.write(`${i}.source`, source);
      dir.write(`${i}.target`, target);
      dir.write(`${i}.ours`, ours[i]!);
      return [
        `SELECT writefile('${i}.made', delta_create(readfile('${i}.source'), readfile('${i}.target')))`,
        `SELECT writefile('${i}.applied', delta_apply(readfile('${i}.source'), readfile('${i}.ours')))`,
      ];
    });
    runSql(stock, dir, statements);

    const total = { ours: 0, stock: 0 };
    for (const [i, { name, source, target }] of pairs.entries()) {
      const made = readFileSync(dir.join(`${i}.made`));
      const applied = readFileSync(dir.join(`${i}.applied`));
      expect([name, i, equal(applied, target)]).toEqual([name, i, true]);
      const back = applyDelta(source, made, target.length, { verifyChecksum: true });
      expect([name, i, equal(back, target)]).toEqual([name, i, true]);
      if (name === "edge") continue;
      expect([name, i, ours[i]!.length <= made.length * 1.05]).toEqual([name, i, true]);
      total.ours += ours[i]!.length;
      total.stock += made.length;
    }
    expect(total.stock).toBeGreaterThan(100_000);
    expect(total.ours).toBeLessThanOrEqual(total.stock * 1.01);
  });

  test("the commands agree with the functions", () => {
    using dir = new TempDir("delta");
    const [{ source, target }] = evolvingSource(seededRandom(14n), 500, 1, 9) as [Pair];
    const from = dir.write("source", source);
    const to = dir.write("target", target);
    const ours = dir.write("ours", createDelta(source, target));
    stock.okSync(["test-delta-create", from, to, dir.join("made")]);
    stock.okSync(["test-delta-apply", from, ours, dir.join("applied")]);
    expect(equal(applyDelta(source, readFileSync(dir.join("made"))), target)).toBe(true);
    expect(equal(readFileSync(dir.join("applied")), target)).toBe(true);
  });

  test("what is accepted, and what comes of it, is the same for damaged and made-up deltas", () => {
    using dir = new TempDir("delta");
    const source = new TextEncoder().encode("0123456789abcdefghijklmnopqrstuvwxyz");
    const deltas = hostileDeltas(seededRandom(15n), source).filter((delta) => isFitFor(stock, delta));
    const hex = (bytes: Uint8Array) => `x'${toHex(bytes)}'`;
    const output = runSql(
      stock,
      dir,
      deltas.map((delta, i) => `SELECT ${i}, hex(delta_apply(${hex(source)}, ${hex(delta)}))`),
    );
    const theirs = new Map<number, string>();
    for (const [, i, target] of output.matchAll(/^(\d+)\|([0-9A-F]*)$/gm)) theirs.set(Number(i), target!);

    const counts = { accepted: 0, refused: 0 };
    for (const [i, delta] of deltas.entries()) {
      const target = applied(source, delta);
      const shown = JSON.stringify(String.fromCharCode(...delta));
      expect([shown, target?.toUpperCase()]).toEqual([shown, theirs.get(i)]);
      counts[target === undefined ? "refused" : "accepted"]++;
    }
    // Neither side of the comparison may be empty.
    expect(counts.accepted).toBeGreaterThan(300);
    expect(counts.refused).toBeGreaterThan(150);
  });
});

function applied(source: Uint8Array, delta: Uint8Array): string | undefined {
  try {
    return toHex(applyDelta(source, delta, 1_000_000));
  } catch (error) {
    if (error instanceof FormatError || error instanceof LimitError) return undefined;
    throw error;
  }
}

/**
 * Whether `stock` is past three defects: 2.21 crashes on a delta of no bytes and on counts past 31 bits, and
 * ignores the top bit of a byte when it reads it as a digit. The rule is what 2.29 does.
 */
function isFitFor(stock: Stock, delta: Uint8Array): boolean {
  if (stock.atLeast(2, 29)) return true;
  return delta.length > 0 && delta.every((byte) => byte < 0x80) && !/[0-9A-Z_a-z~]{6}/.test(latin1(delta));
}

/** Well-formed deltas, their truncations, flipped bits, and commands put together at random. */
function hostileDeltas(random: Random, source: Uint8Array): Uint8Array[] {
  const encoder = new TextEncoder();
  const target = encoder.encode("0123456789abcdefghijklmnop, and then: xyz0123456789abcdefghijklmnopqrst!");
  const whole = createDelta(source, target);
  const deltas: Uint8Array[] = [whole];
  for (let i = 0; i < whole.length; i++) deltas.push(whole.subarray(0, i));
  for (let bit = 0; bit < whole.length * 8; bit++) {
    const flipped = whole.slice();
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    deltas.push(flipped);
  }
  for (let i = 0; i < 800; i++) deltas.push(encoder.encode(madeUpDelta(random, source.length)));
  // A size is a claim on memory: those past our limit are refused before anything else is looked at.
  return deltas.filter((delta) => new DeltaReader(Buffer.from(delta)).number() <= 1_000_000);
}

function madeUpDelta(random: Random, sourceSize: number): string {
  const scratch = Buffer.alloc(8);
  const number = (value: number) => scratch.toString("latin1", 0, writeNumber(scratch, 0, value));
  const oddNumbers = ["", "0", "00", "3~~~~~", "4000000", "4000001", "~~~~~~~~~~~~", "-1", "1.", "200000"];
  let size = 0;
  let commands = "";
  for (let i = randomBelow(random, 5); i > 0; i--) {
    const isOdd = randomBelow(random, 12) === 0;
    const count = randomBelow(random, 12);
    const written = isOdd ? oddNumbers[randomBelow(random, oddNumbers.length)]! : number(count);
    if (randomBelow(random, 2) === 0) commands += `${written}:${"@:;,~0\0xyz!?".slice(0, count)}`;
    else commands += `${written}@${number(randomBelow(random, sourceSize - 10))},`;
    size += count;
  }
  if (randomBelow(random, 10) === 0) size += randomBelow(random, 3) - 1;
  const end = ["0;", ";", "3~~~~~;", "~~~~~~~~~;", "0;trailing", "0", ""][
    Math.max(0, randomBelow(random, 14) - 7)
  ]!;
  return `${number(Math.max(0, size))}\n${commands}${end}`;
}
