import { describe, expect, test } from "bun:test";
import { utf8 } from "../src/bytes.ts";
import { formatHello, joins, readHello } from "../src/iroh-hello.ts";
import type { IrohStream } from "../src/iroh-stream.ts";
import { IROH_HELLO_MAX_BYTES } from "../src/limits.ts";

/** A stream that gives these pieces and ends. */
function streamOf(...pieces: readonly string[]): IrohStream {
  const parts = pieces.map(utf8);
  return { read: async () => parts.shift() } as unknown as IrohStream;
}

const outcome = async (...pieces: string[]) =>
  readHello(streamOf(...pieces)).then(
    ({ role, rest }) => `${role} ${new TextDecoder().decode(rest)}`,
    (error) => error.code,
  );

describe("the first line", () => {
  test("is read whatever the split, and what follows is kept", async () => {
    const said = `${new TextDecoder().decode(formatHello("hub"))}INFO {}\r\n`;
    for (let at = 1; at < said.length; at++) {
      const { role, rest } = await readHello(streamOf(said.slice(0, at), said.slice(at)));
      expect(role).toBe("hub");
      expect("INFO {}\r\n".startsWith(new TextDecoder().decode(rest))).toBe(true);
    }
    expect(await outcome(said)).toBe("hub INFO {}\r\n");
  });

  test.each([
    "",
    "{",
    "null\n",
    '{"v":2,"role":"peer"}\n',
    '{"v":1,"role":"bridge"}\n',
    '{"v":1}\n',
    "INFO {}\r\n",
  ])("%j is none", async (said) => {
    expect(await outcome(said)).toBe("iroh-hello");
  });

  test("the longest line, and one byte more", async () => {
    const line = (length: number) => `${'{"v":1,"role":"peer"}'.padEnd(length)}\n`;
    expect(await outcome(line(IROH_HELLO_MAX_BYTES))).toBe("peer ");
    expect(await outcome(line(IROH_HELLO_MAX_BYTES + 1))).toBe("iroh-hello-size");
    expect(await outcome("x".repeat(IROH_HELLO_MAX_BYTES), "x", "x")).toBe("iroh-hello-size");
  });
});

test("who joins whom", () => {
  const low = (role: "leaf" | "peer" | "hub") => ({ role, id: "a" });
  const high = (role: "leaf" | "peer" | "hub") => ({ role, id: "b" });
  expect(joins(low("peer"), high("peer"))).toBe(true);
  expect(joins(high("peer"), low("peer"))).toBe(false);
  expect(joins(high("peer"), low("hub"))).toBe(true);
  expect(joins(low("hub"), high("peer"))).toBe(false);
  expect(joins(high("leaf"), low("peer"))).toBe(true);
  expect(joins(low("peer"), high("leaf"))).toBe(false);
  expect(joins(low("hub"), high("hub"))).toBe(true);
  expect(joins(low("leaf"), high("leaf"))).toBeUndefined();
});
