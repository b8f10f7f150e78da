/** Announcements and presence messages: exact bytes, limits, and hostile input. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Announcement, formatAnnouncement, parseAnnouncement } from "../src/announcement.ts";
import { text, utf8 } from "../src/bytes.ts";
import { EdgeSyncError, FormatError, LimitError, UsageError } from "../src/errors.ts";
import type { Hash } from "../src/hash.ts";
import {
  ANNOUNCED_ARTIFACT_MAX_COUNT,
  ANNOUNCED_REPLY_MAX_BYTES,
  ANNOUNCED_TIP_MAX_COUNT,
  ANNOUNCEMENT_MAX_BYTES,
  PEER_ADDRESS_MAX_LENGTH,
  PEER_NAME_MAX_LENGTH,
  PRESENCE_BEAT_MAX_MS,
  PRESENCE_BEAT_MIN_MS,
  PRESENCE_MAX_BYTES,
  PRESENCE_TIP_MAX_COUNT,
} from "../src/limits.ts";
import { asPeerId, newPeerId, parsePeerId } from "../src/peer-id.ts";
import { formatPresence, type PresenceMessage, parsePresence } from "../src/presence-message.ts";
import { seededRandom } from "../src/random.ts";

const HASH = "da39a3ee5e6b4b0d3255bfef95601890afd80709" as Hash;
const OTHER = "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a" as Hash;

const ANNOUNCEMENT: Announcement = {
  version: 1,
  rid: 17,
  uuid: OTHER,
  peerId: asPeerId("ann-1"),
  tips: [OTHER],
  count: 2,
  artifacts: [HASH, OTHER],
  iroh: "node1",
  http: "http://127.0.0.1:8080/",
};
const ANNOUNCEMENT_TEXT =
  `{"v":1,"rid":17,"uuid":"${OTHER}","peer_id":"ann-1","tips":["${OTHER}"],"count":2,` +
  `"artifacts":["${HASH}","${OTHER}"],"iroh":"node1","http":"http://127.0.0.1:8080/"}`;

const PRESENCE: PresenceMessage = {
  kind: "join",
  peerId: asPeerId("ann-1"),
  name: "Ann’s laptop",
  version: "0.1.0",
  role: "hub",
  transports: ["nats", "http"],
  http: "https://example.org/x",
  iroh: undefined,
  artifactCount: 21332,
  tips: [HASH],
  unclustered: HASH,
  unversioned: OTHER,
  lagMs: 0,
  everyMs: 30000,
};
const PRESENCE_TEXT =
  `{"v":1,"kind":"join","peer_id":"ann-1","name":"Ann’s laptop","version":"0.1.0","role":"hub",` +
  `"transports":["nats","http"],"http":"https://example.org/x","artifacts":21332,"tips":["${HASH}"],` +
  `"unclustered":"${HASH}","uv":"${OTHER}","lag_ms":0,"every_ms":30000}`;

const announced = (fields: object) =>
  parseAnnouncement(utf8(JSON.stringify({ rid: 1, uuid: HASH, peer_id: "p", ...fields })));
const present = (fields: object) =>
  parsePresence(utf8(JSON.stringify({ kind: "beat", peer_id: "p", ...fields })));

function codeOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    if (error instanceof EdgeSyncError) return error.code;
    throw error;
  }
  return "accepted";
}

describe("announcement", () => {
  test("exact bytes, both ways", () => {
    expect(text(formatAnnouncement(ANNOUNCEMENT))).toBe(ANNOUNCEMENT_TEXT);
    expect(parseAnnouncement(utf8(ANNOUNCEMENT_TEXT))).toEqual(ANNOUNCEMENT);
  });

  test("a reply may come with it", () => {
    const withReply = { ...ANNOUNCEMENT, reply: Uint8Array.of(0, 255, 16) };
    const written = ANNOUNCEMENT_TEXT.replace(',"iroh"', ',"reply":"AP8Q","iroh"');
    expect(text(formatAnnouncement(withReply))).toBe(written);
    expect(parseAnnouncement(utf8(written))).toEqual(withReply);
    const largest = new Uint8Array(ANNOUNCED_REPLY_MAX_BYTES).fill(7);
    expect(parseAnnouncement(formatAnnouncement({ ...withReply, reply: largest })).reply).toEqual(largest);
    const larger = new Uint8Array(ANNOUNCED_REPLY_MAX_BYTES + 3);
    expect(() => parseAnnouncement(formatAnnouncement({ ...withReply, reply: larger }))).toThrow(LimitError);
    for (const reply of ["A", "AP8", "AP8Q\n", "=AP8", "A_8Q"]) {
      expect(codeOf(() => announced({ reply }))).toBe("announced-reply");
    }
  });

  test("what the reference system writes", () => {
    expect(parseAnnouncement(utf8(`{"rid":5,"uuid":"${HASH}","peer_id":"hub-a.example"}`))).toEqual({
      version: 0,
      rid: 5,
      uuid: HASH,
      peerId: asPeerId("hub-a.example"),
      tips: [],
      count: 1,
      artifacts: [],
      iroh: undefined,
      http: undefined,
    });
  });

  test("unknown fields and later versions are read, null is absent", () => {
    expect(announced({ v: 9, colour: { red: [1] }, http: null, __proto__: 1 }).version).toBe(9);
  });

  test("too much news: tips are cut, artifacts left out, and the result can be read", () => {
    const tips = Array.from({ length: ANNOUNCED_TIP_MAX_COUNT + 1 }, () => OTHER);
    const artifacts = Array.from({ length: ANNOUNCED_ARTIFACT_MAX_COUNT }, () => OTHER);
    const address = `http://${"h".repeat(PEER_ADDRESS_MAX_LENGTH - 7)}`;
    const most = {
      ...ANNOUNCEMENT,
      tips,
      artifacts,
      iroh: "i".repeat(PEER_ADDRESS_MAX_LENGTH),
      http: address,
    };
    const read = parseAnnouncement(formatAnnouncement(most));
    expect(read).toEqual({ ...most, tips: tips.slice(1) });
    expect(
      parseAnnouncement(formatAnnouncement({ ...most, artifacts: [...artifacts, HASH] })).artifacts,
    ).toEqual([]);
  });

  test("refused", () => {
    const nine = "9".repeat(41);
    const refused: [object, string][] = [
      [{ rid: -1 }, "json-field"],
      [{ rid: 1.5 }, "json-field"],
      [{ rid: "1" }, "json-field"],
      [{ rid: 2 ** 53 }, "json-field"],
      [{ rid: undefined }, "json-field"],
      [{ uuid: undefined }, "json-field"],
      [{ uuid: "xyz" }, "hash-syntax"],
      [{ uuid: nine }, "hash-syntax"],
      [{ uuid: HASH + OTHER }, "json-field-size"],
      [{ peer_id: "" }, "peer-id-syntax"],
      [{ peer_id: "a b" }, "peer-id-syntax"],
      [{ peer_id: "a.*" }, "peer-id-syntax"],
      [{ peer_id: ">" }, "peer-id-syntax"],
      [{ peer_id: "a..b" }, "peer-id-syntax"],
      [{ peer_id: "é" }, "peer-id-syntax"],
      [{ peer_id: "a\n" }, "peer-id-syntax"],
      [{ peer_id: "a".repeat(129) }, "json-field-size"],
      [{ tips: HASH }, "json-field"],
      [{ tips: [1] }, "json-field"],
      [{ tips: ["x"] }, "hash-syntax"],
      [{ tips: Array(ANNOUNCED_TIP_MAX_COUNT + 1).fill(HASH) }, "json-field-size"],
      [{ artifacts: Array(ANNOUNCED_ARTIFACT_MAX_COUNT + 1).fill(HASH) }, "json-field-size"],
      [{ http: "file:///etc/passwd" }, "peer-address"],
      [{ http: "http://u:p@host/" }, "peer-address"],
      [{ http: "http://host/\n" }, "peer-address"],
      [{ http: `http://${"h".repeat(PEER_ADDRESS_MAX_LENGTH)}` }, "json-field-size"],
      [{ iroh: "\u001b[2J" }, "peer-address"],
    ];
    for (const [fields, code] of refused)
      expect([fields, codeOf(() => announced(fields))]).toEqual([fields, code]);
    for (const bytes of [
      "",
      "[]",
      "null",
      "1",
      '"x"',
      "{",
      `{"rid":1}x`,
      "[".repeat(ANNOUNCEMENT_MAX_BYTES),
    ]) {
      expect(() => parseAnnouncement(utf8(bytes))).toThrow(FormatError);
    }
    expect(codeOf(() => parseAnnouncement(Uint8Array.of(0x7b, 0xff, 0x7d)))).toBe("json-syntax");
    const padded = (length: number) => utf8(ANNOUNCEMENT_TEXT.padEnd(length));
    expect(parseAnnouncement(padded(ANNOUNCEMENT_MAX_BYTES))).toEqual(ANNOUNCEMENT);
    expect(() => parseAnnouncement(padded(ANNOUNCEMENT_MAX_BYTES + 1))).toThrow(LimitError);
  });
});

describe("presence", () => {
  test("exact bytes, both ways", () => {
    expect(text(formatPresence(PRESENCE))).toBe(PRESENCE_TEXT);
    expect(parsePresence(utf8(PRESENCE_TEXT))).toEqual(PRESENCE);
  });

  test("the largest can be read", () => {
    const text = "’".repeat(PEER_NAME_MAX_LENGTH);
    const address = `http://${"h".repeat(PEER_ADDRESS_MAX_LENGTH - 7)}`;
    const tips = Array(PRESENCE_TIP_MAX_COUNT).fill(OTHER);
    const most = {
      ...PRESENCE,
      name: text,
      version: text,
      transports: Array(8).fill(text),
      http: address,
      tips,
    };
    expect(parsePresence(formatPresence({ ...most, iroh: address, unclustered: OTHER }))).toEqual({
      ...most,
      iroh: address,
      unclustered: OTHER,
    });
  });

  test("beats are believed within bounds", () => {
    expect(present({ every_ms: 0 }).everyMs).toBe(PRESENCE_BEAT_MIN_MS);
    expect(present({ every_ms: 1e12 }).everyMs).toBe(PRESENCE_BEAT_MAX_MS);
    expect(present({}).everyMs).toBe(PRESENCE_BEAT_MAX_MS);
  });

  test("refused", () => {
    const refused: [object, string][] = [
      [{ kind: "dance" }, "json-field"],
      [{ kind: undefined }, "json-field"],
      [{ role: "king" }, "json-field"],
      [{ name: "a\u0007b" }, "json-field"],
      [{ name: "\u202egnp" }, "json-field"],
      [{ name: "x".repeat(PEER_NAME_MAX_LENGTH + 1) }, "json-field-size"],
      [{ transports: Array(9).fill("x") }, "json-field-size"],
      [{ tips: Array(PRESENCE_TIP_MAX_COUNT + 1).fill(HASH) }, "json-field-size"],
      [{ unclustered: "x" }, "hash-syntax"],
      [{ uv: "x" }, "hash-syntax"],
      [{ lag_ms: -1 }, "json-field"],
    ];
    for (const [fields, code] of refused)
      expect([fields, codeOf(() => present(fields))]).toEqual([fields, code]);
    expect(() => parsePresence(utf8(PRESENCE_TEXT.padEnd(PRESENCE_MAX_BYTES + 1)))).toThrow(LimitError);
  });
});

test("hostile input: declared errors only", () => {
  const mutated = fc
    .tuple(
      fc.constantFrom(ANNOUNCEMENT_TEXT, PRESENCE_TEXT),
      fc.nat(),
      fc.uint8Array({ maxLength: 4 }),
      fc.nat(9),
    )
    .map(([base, at, bytes, cut]) => {
      const whole = utf8(base);
      const from = at % whole.length;
      return Uint8Array.from([...whole.subarray(0, from), ...bytes, ...whole.subarray(from + cut)]);
    });
  const values = fc
    .dictionary(
      fc.constantFrom("v", "rid", "uuid", "peer_id", "tips", "kind", "role", "http", "artifacts", "every_ms"),
      fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constant(HASH), fc.constant([HASH]), fc.constant("beat")),
    )
    .map((fields) => utf8(JSON.stringify(fields)));
  fc.assert(
    fc.property(fc.oneof(mutated, values, fc.uint8Array({ maxLength: 64 })), (bytes) => {
      for (const parse of [parseAnnouncement, parsePresence]) {
        try {
          parse(bytes);
        } catch (error) {
          if (!(error instanceof FormatError || error instanceof LimitError)) throw error;
        }
      }
      expect(parseAnnouncement(utf8(ANNOUNCEMENT_TEXT))).toEqual(ANNOUNCEMENT);
    }),
    { seed: 1, numRuns: 1500 },
  );
});

test("ids of peers", () => {
  const random = seededRandom(1n);
  const id = newPeerId(random);
  expect(parsePeerId(id)).toBe(id);
  expect(newPeerId(random)).not.toBe(id);
  expect(parsePeerId("Laptop_2-b")).toBe(asPeerId("Laptop_2-b"));
  for (const wrong of ["", "a.b", "a b", "x".repeat(65), "*"])
    expect(() => parsePeerId(wrong)).toThrow(UsageError);
});
