import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Subscribed, SubscriptionTrie } from "../src/broker-subscriptions.ts";
import { NATS_MATCH_CACHE_COUNT } from "../src/limits.ts";
import {
  fromWire,
  hasWildcard,
  isValidPattern,
  isValidSubject,
  subjectMatches,
  toWire,
} from "../src/nats-subject.ts";

describe("subjects", () => {
  test.each([
    ["a", true, true],
    ["a.b", true, true],
    ["a.*", true, false],
    ["*", true, false],
    [">", true, false],
    ["a.>", true, false],
    ["a*.b>", true, true],
    [">.a", false, false],
    ["", false, false],
    [".a", false, false],
    ["a.", false, false],
    ["a..b", false, false],
    ["a b", false, false],
    ["a\nb", false, false],
  ])("%j: pattern %p, subject %p", (subject, pattern, literal) => {
    expect([isValidPattern(subject), isValidSubject(subject)]).toEqual([pattern, literal]);
    if (pattern) expect(hasWildcard(subject)).toBe(!literal);
  });

  test("wire strings", () => {
    expect([toWire("é.日"), fromWire(toWire("é.日"))]).toEqual(["\xc3\xa9.\xe6\x97\xa5", "é.日"]);
  });

  test("matching equals a regular expression made of the pattern", () => {
    const property = fc.property(pattern, subject, (wanted, given) => {
      const parts = wanted.split(".").map((token) => ({ "*": "[^.]+", ">": ".+" })[token] ?? token);
      expect(subjectMatches(wanted, given)).toBe(new RegExp(`^${parts.join("\\.")}$`).test(given));
    });
    fc.assert(property, { seed: 5, numRuns: 2000 });
  });
});

const token = fc.constantFrom("a", "b", "c");
const subject = fc.array(token, { minLength: 1, maxLength: 4 }).map((tokens) => tokens.join("."));
const pattern = fc
  .tuple(
    fc.array(fc.oneof(token, fc.constant("*")), { minLength: 0, maxLength: 3 }),
    fc.oneof(token, fc.constantFrom("*", ">")),
  )
  .map(([tokens, last]) => [...tokens, last].join("."));

test("the trie finds what a search of all finds, through inserts and removes", () => {
  const change = fc.record({
    subject: pattern,
    queue: fc.constantFrom("", "", "p", "q"),
    remove: fc.nat(20),
  });
  const property = fc.property(
    fc.array(change, { maxLength: 40 }),
    fc.array(subject, { minLength: 1 }),
    (steps, asked) => {
      const trie = new SubscriptionTrie<Subscribed>();
      const all: Subscribed[] = [];
      for (const { remove, ...step } of steps) {
        if (remove < all.length) {
          expect(trie.remove(all.splice(remove, 1)[0]!)).toBe(true);
        } else {
          all.push(step);
          trie.insert(step);
        }
        for (const one of asked) {
          const found = trie.match(one);
          const expected = all.filter((entry) => subjectMatches(entry.subject, one));
          expect(new Set(found.plain)).toEqual(new Set(expected.filter((entry) => entry.queue === "")));
          const members = found.groups.flatMap((group) => group.members);
          expect(members.length).toBe(expected.filter((entry) => entry.queue !== "").length);
          for (const group of found.groups)
            expect(group.members.every((entry) => entry.queue === group.queue)).toBe(true);
        }
      }
      expect(trie.stats.subscriptions).toBe(all.length);
      expect([...trie.all()].length).toBe(all.length);
    },
  );
  fc.assert(property, { seed: 5, numRuns: 200 });
});

test("the cache is used, bounded, and a removed subscription is gone from it", () => {
  const trie = new SubscriptionTrie<Subscribed>();
  const wide = { subject: "a.*", queue: "" };
  trie.insert(wide);
  expect(trie.remove({ subject: "a.*", queue: "" })).toBe(false);
  for (let i = 0; i <= NATS_MATCH_CACHE_COUNT; i++) expect(trie.match(`a.${i}`).plain).toEqual([wide]);
  expect(trie.stats.cached).toBe(1);
  expect(trie.match(`a.${NATS_MATCH_CACHE_COUNT}`).plain).toEqual([wide]);
  expect(trie.stats.cacheHits).toBe(1);
  expect(trie.remove(wide)).toBe(true);
  expect(trie.match(`a.${NATS_MATCH_CACHE_COUNT}`).plain).toEqual([]);
  expect(trie.match("a..b").plain).toEqual([]);
});
