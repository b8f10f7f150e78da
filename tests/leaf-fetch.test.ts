/** Fetching what peers claim to have: few pulls, bounded for liars. */
import { describe, expect, test } from "bun:test";
import { systemClock } from "../src/clock.ts";
import type { Hash } from "../src/hash.ts";
import { LeafFetch } from "../src/leaf-fetch.ts";
import { FETCH_CREDIT_COUNT, FETCH_CREDIT_MS, GIMME_MIN_COUNT } from "../src/limits.ts";
import { silentLogger } from "../src/log.ts";

const hash = (n: number) => n.toString(16).padStart(40, "0") as Hash;

/** A repository that has what was pulled, and peers that answer when they are let. */
class Fixture {
  readonly here = new Set<Hash>();
  readonly pulls: {
    readonly peer: string;
    readonly hints: readonly Hash[];
    readonly isAll: boolean;
    end(received: readonly Hash[]): void;
  }[] = [];
  at = 0;
  readonly fetch = new LeafFetch(
    {
      missing: (hashes) => hashes.filter((one) => !this.here.has(one)),
      pull: (peer, hints, isAll) =>
        new Promise((resolve) => {
          const end = (received: readonly Hash[]) => {
            for (const one of received) this.here.add(one);
            resolve({ artifactsReceived: received.length });
          };
          this.pulls.push({ peer, hints, isAll, end });
        }),
    },
    { clock: { ...systemClock, monotonic: () => this.at }, log: silentLogger },
  );

  async end(received: readonly Hash[] = []): Promise<void> {
    this.pulls.at(-1)!.end(received);
    await Bun.sleep(0);
  }
}

describe("fetching", () => {
  test("what is here is not asked for", () => {
    const { fetch, here, pulls } = new Fixture();
    here.add(hash(1));
    expect(fetch.claim("a", [hash(1)], true)).toBe(false);
    expect(pulls).toEqual([]);
    expect(fetch.lagMs).toBe(0);
  });

  test("claims that come during a pull are met by one pull after it", async () => {
    const fixture = new Fixture();
    const { fetch, pulls } = fixture;
    fetch.claim("a", [hash(1)], true);
    for (let i = 2; i < 100; i++) fetch.claim("a", [hash(i)], true);
    expect(pulls.map(({ hints }) => hints)).toEqual([[hash(1)]]);
    fixture.at = 70;
    expect(fetch.lagMs).toBe(70);
    await fixture.end([hash(1), hash(2)]);
    expect(pulls).toHaveLength(2);
    expect(pulls[1]!.hints).toEqual(Array.from({ length: 97 }, (_, i) => hash(i + 3)));
    await fixture.end(pulls[1]!.hints);
    expect(fetch.lagMs).toBe(0);
    expect(fetch.pullCount).toBe(2);
  });

  test("what is more than claimed, or more than can be asked for at once, is told", async () => {
    const fixture = new Fixture();
    const { fetch, pulls } = fixture;
    fetch.claim("a", [hash(1)], true);
    fetch.claim("a", [hash(2)], false);
    fetch.claim("a", [hash(3)], true);
    await fixture.end([hash(1)]);
    await fixture.end([hash(2), hash(3)]);
    const many = Array.from({ length: GIMME_MIN_COUNT + 1 }, (_, i) => hash(i + 10));
    fetch.claim("b", many, true);
    expect(pulls.map(({ isAll }) => isAll)).toEqual([true, false, false]);
    expect(pulls[2]!.hints).toEqual(many.slice(0, -1));
  });

  test("what one peer is asked for another is asked for only if it did not come", async () => {
    const fixture = new Fixture();
    const { fetch, pulls } = fixture;
    fetch.claim("a", [hash(1)], true);
    fetch.claim("b", [hash(1)], true);
    fetch.claim("c", [hash(2)], true);
    expect(pulls.map(({ peer }) => peer)).toEqual(["a", "c"]);
    pulls[0]!.end([]);
    await Bun.sleep(0);
    expect(pulls.map(({ peer }) => peer)).toEqual(["a", "c", "b"]);
    await fixture.end([hash(1)]);
    pulls[1]!.end([hash(2)]);
    await Bun.sleep(0);
    fetch.claim("d", [hash(1), hash(2)], true);
    expect(pulls).toHaveLength(3);
  });

  test("a peer that promises too much is not listened to for a while", async () => {
    const fixture = new Fixture();
    const { fetch, pulls } = fixture;
    const lie = async (n: number) => {
      const isAsked = fetch.claim("liar", [hash(n)], true);
      if (isAsked) await fixture.end();
      return isAsked;
    };
    for (let i = 1; i <= FETCH_CREDIT_COUNT; i++) expect(await lie(i)).toBe(true);
    expect(await lie(100)).toBe(false);
    expect(fetch.claim("honest", [hash(200)], true)).toBe(true);
    await fixture.end([hash(200)]);
    fixture.at += FETCH_CREDIT_MS;
    expect(await lie(101)).toBe(true);
    expect(await lie(102)).toBe(false);
    expect(pulls).toHaveLength(FETCH_CREDIT_COUNT + 2);
    // Nothing stays behind of what was promised.
    expect(fetch.lagMs).toBe(0);
  });

  test("a peer that keeps its word is never short of credit", async () => {
    const fixture = new Fixture();
    for (let i = 1; i < 50; i++) {
      expect(fixture.fetch.claim("a", [hash(i)], true)).toBe(true);
      await fixture.end([hash(i)]);
    }
  });
});
