/**
 * Pairs of versions for delta tests and benchmarks, from a seed: what repositories really hold (source
 * files that evolve, manifests, binaries patched in places) without depending on files of the machine.
 */
import { latin1, utf8 } from "../src/bytes.ts";
import { type Random, randomBelow, seededRandom } from "../src/random.ts";

export interface Pair {
  readonly name: string;
  readonly source: Uint8Array;
  readonly target: Uint8Array;
}

const WORDS =
  "if else return const while for break case switch static struct void int char unsigned size count offset name value " +
  "buffer result error index length source target delta hash block entry table parent child version content artifact";
const NAMES = WORDS.split(" ");
const CALLS = ["open", "close", "read", "write", "append", "prepare", "bind", "step", "reset", "check"];

/** One line of something like a program. */
function sourceLine(random: Random): string {
  const word = () => NAMES[randomBelow(random, NAMES.length)]!;
  const indent = "  ".repeat(randomBelow(random, 5));
  switch (randomBelow(random, 6)) {
    case 0:
      return "";
    case 1:
      return `${indent}}`;
    case 2:
      return `${indent}/* ${Array.from({ length: 3 + randomBelow(random, 9) }, word).join(" ")} */`;
    case 3:
      return `${indent}if( ${word()}->${word()}==${randomBelow(random, 100)} ){`;
    default:
      return `${indent}${word()}_${CALLS[randomBelow(random, CALLS.length)]}(&${word()}, ${word()}[${word()}], ${randomBelow(random, 9999)});`;
  }
}

export function sourceFile(random: Random, lineCount: number): string[] {
  return Array.from({ length: lineCount }, () => sourceLine(random));
}

/** A later version: lines changed, added, deleted, and now and then a passage moved. */
export function nextVersion(random: Random, lines: readonly string[], editCount: number): string[] {
  const next = [...lines];
  for (let i = 0; i < editCount; i++) {
    const at = randomBelow(random, next.length);
    switch (randomBelow(random, 8)) {
      case 0:
        next.splice(at, 1 + randomBelow(random, 4));
        break;
      case 1:
      case 2:
        next.splice(at, 0, ...sourceFile(random, 1 + randomBelow(random, 12)));
        break;
      case 3:
        next.splice(randomBelow(random, next.length), 0, ...next.splice(at, 20));
        break;
      default:
        next[at] = (next[at] ?? "").replace(/\w+/, NAMES[randomBelow(random, NAMES.length)]!);
    }
  }
  return next;
}

/** Bytes that look like a compiled program: short instructions from a skewed alphabet, tables, zeros. */
export function binaryFile(random: Random, size: number): Uint8Array {
  const out = new Uint8Array(size);
  const opcodes = random.bytes(24);
  for (let at = 0; at < size; ) {
    const run = 64 + randomBelow(random, 400);
    const kind = randomBelow(random, 4);
    const end = Math.min(size, at + run);
    for (; at < end; at++) {
      if (kind === 0) out[at] = 0;
      else if (kind === 1) out[at] = randomBelow(random, 256);
      else out[at] = opcodes[randomBelow(random, opcodes.length)]!;
    }
  }
  return out;
}

/** A later build: addresses patched all over, passages inserted and removed. */
export function nextBinary(random: Random, bytes: Uint8Array, patchCount: number): Uint8Array {
  let text = latin1(bytes);
  for (let i = 0; i < patchCount; i++) {
    const at = randomBelow(random, text.length);
    const removed = randomBelow(random, 4) === 0 ? randomBelow(random, 200) : 4;
    const added = randomBelow(random, 4) === 0 ? randomBelow(random, 200) : removed === 4 ? 4 : 0;
    text = text.slice(0, at) + latin1(random.bytes(added)) + text.slice(at + removed);
  }
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** A manifest-like list of files, of which one in `changeEvery` changes between versions. */
function manifests(random: Random, fileCount: number, changeEvery: number): Pair {
  const hash = () => Buffer.from(random.bytes(20)).toString("hex");
  const files = Array.from(
    { length: fileCount },
    (_, i) => `F src/part-${i % 40}/file-${i}.c ${hash()}`,
  ).sort();
  const later = files.map((line) =>
    randomBelow(random, changeEvery) === 0 ? line.slice(0, -40) + hash() : line,
  );
  const manifest = (lines: string[]) =>
    utf8(`C change\nD 2024-05-06T07:08:09.000\n${lines.join("\n")}\nZ ${hash()}\n`);
  return { name: "manifest", source: manifest(files), target: manifest(later) };
}

const bytesOf = (lines: readonly string[]) => utf8(`${lines.join("\n")}\n`);

/** Consecutive versions of one evolving source file. */
export function evolvingSource(
  random: Random,
  lineCount: number,
  versionCount: number,
  editCount: number,
): Pair[] {
  const pairs: Pair[] = [];
  let lines = sourceFile(random, lineCount);
  for (let i = 1; i <= versionCount; i++) {
    const later = nextVersion(random, lines, editCount);
    pairs.push({ name: `source, ${editCount} edits`, source: bytesOf(lines), target: bytesOf(later) });
    lines = later;
  }
  return pairs;
}

/** What a repository holds, in about `scale` times 50 KB pieces. */
export function realisticPairs(seed: bigint, scale = 1): Pair[] {
  const random = seededRandom(seed);
  const binary = binaryFile(random, 60_000 * scale);
  const unrelated = bytesOf(sourceFile(random, 400 * scale));
  return [
    ...evolvingSource(random, 1500 * scale, 2, 2),
    ...evolvingSource(random, 1500 * scale, 2, 12 * scale),
    ...evolvingSource(random, 1500 * scale, 2, 150 * scale),
    { name: "other file", source: unrelated, target: bytesOf(sourceFile(random, 400 * scale)) },
    { name: "binary", source: binary, target: nextBinary(random, binary, 40 * scale) },
    manifests(random, 600 * scale, 50),
    {
      name: "log, appended",
      source: unrelated,
      target: Buffer.concat([unrelated, bytesOf(sourceFile(random, 60))]),
    },
  ];
}
