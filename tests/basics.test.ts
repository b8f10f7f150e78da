/** Rank 0: bytes, hashes, errors, chance, log. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  compareBytes,
  compareUtf8,
  concat,
  equal,
  readU32BE,
  strictText,
  text,
  toHex,
  u32BE,
  utf8,
} from "../src/bytes.ts";
import { systemClock } from "../src/clock.ts";
import { EXIT, errorToRecord, NameError, reviveError, TimeoutError, UsageError } from "../src/errors.ts";
import { algorithmOf, asHash, hashContent, hashMatches, isHash, md5Hex } from "../src/hash.ts";
import { isLoopback, parseListenAddress } from "../src/listen-address.ts";
import { createLogger } from "../src/log.ts";
import { randomBelow, randomHex, seededRandom, systemRandom } from "../src/random.ts";

describe("bytes", () => {
  test("concat, equal, hex, big-endian numbers", () => {
    expect(concat([Uint8Array.of(1), Uint8Array.of(), Uint8Array.of(2, 3)])).toEqual(Uint8Array.of(1, 2, 3));
    expect(equal(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true);
    expect(equal(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false);
    expect(toHex(Uint8Array.of(0, 15, 255))).toBe("000fff");
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), (n) => readU32BE(u32BE(n)) === n),
      { seed: 1 },
    );
  });

  test("strictText refuses what text repairs", () => {
    const broken = Uint8Array.of(0x61, 0xff);
    expect(strictText(broken)).toBeUndefined();
    expect(text(broken)).toBe("a\ufffd");
    expect(strictText(utf8("\ufeffé"))).toBe("\ufeffé");
  });

  test("compareUtf8 orders as the encodings do", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }), (a, b) => {
        expect(Math.sign(compareUtf8(a, b))).toBe(Math.sign(compareBytes(utf8(a), utf8(b))));
      }),
      { seed: 2 },
    );
    expect(compareUtf8("\uffff", "\u{10000}")).toBeLessThan(0);
  });
});

describe("hashes", () => {
  test("known values of the empty artifact", () => {
    const empty = new Uint8Array(0);
    expect(hashContent(empty, "sha1")).toBe(asHash("da39a3ee5e6b4b0d3255bfef95601890afd80709"));
    expect(hashContent(empty, "sha3-256")).toBe(
      asHash("a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a"),
    );
    expect(md5Hex("abc")).toBe("900150983cd24fb0d6963f7d28e17f72");
  });

  test("the length tells the algorithm", () => {
    for (const algorithm of ["sha1", "sha3-256"] as const) {
      const hash = hashContent(utf8("x"), algorithm);
      expect(algorithmOf(hash)).toBe(algorithm);
      expect(hashMatches(utf8("x"), hash)).toBe(true);
      expect(hashMatches(utf8("y"), hash)).toBe(false);
    }
  });

  test.each(["", "abc", "A".repeat(40), "0".repeat(41), `${"0".repeat(40)}\n`])("%j is no hash", (value) => {
    expect(isHash(value)).toBe(false);
    expect(() => asHash(value)).toThrow("expected 40 or 64 lower-case hex digits");
  });
});

describe("errors", () => {
  test("cross a thread as records and come back as they were", () => {
    const error = new NameError("ambiguous", "two of them", { hint: "say which", data: { count: 2 } });
    const revived = reviveError(structuredClone(errorToRecord(error)));
    expect(revived).toBeInstanceOf(NameError);
    expect(revived).toMatchObject({
      code: "ambiguous",
      message: "two of them",
      hint: "say which",
      data: { count: 2 },
    });
    expect(revived.stack).toBe(error.stack!);
    expect(reviveError(errorToRecord(new RangeError("off by one"))).message).toBe("off by one");
    expect(errorToRecord("a string")).toMatchObject({ name: "Error", message: "a string" });
  });

  test("know the status the program ends with", () => {
    expect(new UsageError("x", "x").exitCode).toBe(EXIT.usage);
    expect(new TimeoutError("x", "x").exitCode).toBe(EXIT.timedOut);
    expect(new NameError("x", "x").exitCode).toBe(EXIT.failed);
  });
});

describe("chance", () => {
  test("a seed gives the same sequence on every machine", () => {
    const random = seededRandom(42n);
    expect([randomHex(random, 9), random.float(), randomBelow(random, 1000)]).toEqual([
      "956eeb2f2632d7bd03",
      0.27860113025513866,
      344,
    ]);
    expect(seededRandom(1n).bytes(20)).toEqual(seededRandom(1n).bytes(20));
    expect(seededRandom(1n).bytes(20)).not.toEqual(seededRandom(2n).bytes(20));
  });

  test("the system's differs each time and stays in range", () => {
    expect(systemRandom.bytes(16)).not.toEqual(systemRandom.bytes(16));
    for (let i = 0; i < 100; i++) expect(randomBelow(systemRandom, 7)).toBeWithin(0, 7);
  });
});

describe("clock", () => {
  test("sleep ends early with the signal's reason", async () => {
    const aborter = new AbortController();
    const reason = new Error("enough");
    const sleeping = systemClock.sleep(3_600_000, aborter.signal);
    aborter.abort(reason);
    expect(sleeping).rejects.toBe(reason);
    expect(systemClock.sleep(3_600_000, aborter.signal)).rejects.toBe(reason);
  });

  test("a cancelled timer does not run", async () => {
    let ran = false;
    systemClock.after(0, () => (ran = true)).cancel();
    await systemClock.sleep(1);
    expect(ran).toBe(false);
  });
});

describe("listen addresses", () => {
  test.each([
    ["8080", "8080", 1],
    ["localhost", "localhost", 1],
    ["127.0.0.1:80", "127.0.0.1", 80],
    [":8080", "0.0.0.0", 8080],
    ["[::1]:9", "::1", 9],
    ["[::]", "::", 1],
  ])("%s", (value, host, port) => {
    expect(parseListenAddress(value, 1)).toEqual({ host, port });
  });

  test.each(["", "a:b", "::1:80", "x:99999", "a b:", "[::1", "http://x"])("%j is refused", (value) => {
    expect(() => parseListenAddress(value, 1)).toThrow("expected HOST:PORT");
  });

  test("loopback is told apart", () => {
    expect(
      ["127.0.0.1", "localhost", "::1", "127.9.9.9"].every((host) => isLoopback({ host, port: 1 })),
    ).toBe(true);
    expect(["0.0.0.0", "10.0.0.1", "::"].some((host) => isLoopback({ host, port: 1 }))).toBe(false);
  });
});

describe("log", () => {
  test("passes what is at or above its level", () => {
    const lines: string[] = [];
    const log = createLogger("warn", (level, message, fields) =>
      lines.push(`${level} ${message} ${fields.n}`),
    );
    log.error("a", { n: 1 });
    log.warn("b", { n: 2 });
    log.info("c", { n: 3 });
    log.debug("d");
    expect(lines).toEqual(["error a 1", "warn b 2"]);
  });
});
