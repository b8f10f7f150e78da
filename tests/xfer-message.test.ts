import { describe, expect, test } from "bun:test";
import { deflateSync } from "node:zlib";
import fc from "fast-check";
import { concat, text, u32BE, utf8 } from "../src/bytes.ts";
import { EdgeSyncError } from "../src/errors.ts";
import { seededRandom } from "../src/random.ts";
import {
  CONTENT_TYPES,
  decodeMessage,
  decodeMessageAside,
  encodeMessage,
  encodeMessageAside,
  type Framing,
  framingOf,
} from "../src/xfer-message.ts";

const MESSAGE = utf8("pragma client-version 22900 20260821 165942\nclone 3 1\n# 9E50D453\n");
const FRAMINGS = Object.keys(CONTENT_TYPES) as Framing[];
const FOSSIL = CONTENT_TYPES.compressed;

function codeOf(run: () => unknown): string | undefined {
  try {
    run();
  } catch (error) {
    if (error instanceof EdgeSyncError) return error.code;
    throw error;
  }
  return undefined;
}

describe("framings", () => {
  test.each(FRAMINGS)("%s goes there and back", (framing) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
        const message = concat([utf8("# any\n"), bytes]);
        const { contentType, body } = encodeMessage(message, framing);
        const decoded = decodeMessage(body, contentType);
        expect(decoded.framing).toBe(framing);
        expect(Buffer.compare(decoded.message, message)).toBe(0);
      }),
      { seed: 5, numRuns: 100 },
    );
  });

  test("an empty message", () => {
    for (const framing of FRAMINGS) {
      const { contentType, body } = encodeMessage(new Uint8Array(0), framing);
      expect(decodeMessage(body, contentType).message).toHaveLength(0);
      expect(decodeMessage(new Uint8Array(0), contentType).message).toHaveLength(0);
    }
  });

  test("content types", () => {
    expect(framingOf("application/x-fossil")).toBe("compressed");
    expect(framingOf("Application/X-Fossil-Debug; charset=utf-8")).toBe("debug");
    expect(framingOf("application/x-fossil-uncompressed")).toBe("raw");
    expect(framingOf("application/x-fossil-other")).toBeUndefined();
    expect(framingOf("text/html")).toBeUndefined();
    expect(codeOf(() => decodeMessage(MESSAGE, "text/html"))).toBe("xfer-content-type");
  });
});

describe("a raw message sent as application/x-fossil", () => {
  test.each(["login a b c\n", "pragma x\n", "clone\n", "x", "# 12345\n", "\n", "igoth\x05\n"])(
    "%j",
    (message) => {
      const decoded = decodeMessage(utf8(message), FOSSIL);
      expect(text(decoded.message)).toBe(message);
      expect(decoded.framing).toBe("compressed");
    },
  );
});

describe("damage", () => {
  const packed = encodeMessage(MESSAGE, "compressed").body;

  test("a compressed message cut anywhere", () => {
    for (let end = 6; end < packed.length; end++) {
      expect(codeOf(() => decodeMessage(packed.subarray(0, end), FOSSIL))).toBe("xfer-zlib");
    }
  });

  test("any bit flipped is refused, or taken for a raw message, or leaves the text", () => {
    for (let bit = 0; bit < packed.length * 8; bit++) {
      const flipped = packed.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      let message: Uint8Array;
      try {
        message = decodeMessage(flipped, FOSSIL).message;
      } catch (error) {
        expect(error).toBeInstanceOf(EdgeSyncError);
        continue;
      }
      const isRaw = Buffer.compare(message, flipped) === 0;
      if (!isRaw) expect(text(message)).toBe(text(MESSAGE));
    }
  });

  test("a declared length that is too small or too large", () => {
    const stream = deflateSync(MESSAGE);
    const declare = (length: number) => concat([u32BE(length), stream]);
    expect(codeOf(() => decodeMessage(declare(MESSAGE.length - 1), FOSSIL))).toBe("xfer-declared-size");
    expect(codeOf(() => decodeMessage(declare(0), FOSSIL))).toBe("xfer-declared-size");
    expect(text(decodeMessage(declare(MESSAGE.length + 1), FOSSIL).message)).toBe(text(MESSAGE));
  });

  test("a bomb is stopped at what it declares", () => {
    const bomb = concat([u32BE(1000), deflateSync(new Uint8Array(50_000_000))]);
    expect(codeOf(() => decodeMessage(bomb, FOSSIL))).toBe("xfer-declared-size");
  });
});

describe("limits", () => {
  const packed = encodeMessage(MESSAGE, "compressed").body;

  test("the largest body, and one byte more", () => {
    const decode = (bodyMaxBytes: number) => () => decodeMessage(packed, FOSSIL, { bodyMaxBytes });
    expect(codeOf(decode(packed.length))).toBeUndefined();
    expect(codeOf(decode(packed.length - 1))).toBe("xfer-body-size");
  });

  test("the largest message, and one byte more", () => {
    for (const framing of FRAMINGS) {
      const { body, contentType } = encodeMessage(MESSAGE, framing);
      const decode = (messageMaxBytes: number) => () => decodeMessage(body, contentType, { messageMaxBytes });
      expect(codeOf(decode(MESSAGE.length))).toBeUndefined();
      expect(codeOf(decode(MESSAGE.length - 1))).toBe("xfer-message-size");
    }
  });

  test("a length past the limit is refused before it is believed", () => {
    const claim = concat([Uint8Array.of(0x60, 0, 0, 1), deflateSync(MESSAGE)]);
    expect(codeOf(() => decodeMessage(claim, FOSSIL))).toBe("xfer-message-size");
  });
});

describe("aside", () => {
  const large = concat([seededRandom(9n).bytes(200_000)]);

  test.each([
    ["small", MESSAGE],
    ["large", large],
    ["large and dense", utf8("many words ".repeat(50_000))],
  ])("a %s message goes there and back, to the same bytes", async (_, message) => {
    for (const framing of FRAMINGS) {
      const encoded = await encodeMessageAside(message, framing);
      expect(Buffer.compare(encoded.body, encodeMessage(message, framing).body)).toBe(0);
      const decoded = await decodeMessageAside(encoded.body, encoded.contentType);
      expect(Buffer.compare(decoded.message, message)).toBe(0);
    }
  });

  test("what is wrong is told alike", async () => {
    const { body } = encodeMessage(large, "compressed");
    const changed = body.slice();
    changed[changed.length - 1]! ^= 1;
    const short = concat([u32BE(large.length - 1), body.subarray(4)]);
    for (const wrong of [body.subarray(0, -1), changed, short]) {
      const code = codeOf(() => decodeMessage(wrong, FOSSIL));
      expect(code).toBeDefined();
      const aside = decodeMessageAside(wrong, FOSSIL);
      expect(await aside.catch((error: EdgeSyncError) => error.code)).toBe(code as never);
    }
    const most = { messageMaxBytes: large.length - 1 };
    expect(decodeMessageAside(body, FOSSIL, most)).rejects.toMatchObject({ code: "xfer-message-size" });
  });

  test("leaves the thread free", async () => {
    const message = utf8("words and more words, ".repeat(2_000_000));
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const { body, contentType } = await encodeMessageAside(message, "compressed");
    const encodingTicks = ticks;
    await decodeMessageAside(body, contentType);
    clearInterval(timer);
    expect(encodingTicks).toBeGreaterThan(5);
  });
});
