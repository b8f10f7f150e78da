/**
 * What every transport promises (`src/transport.ts`), as one suite. An implementation's own test passes a
 * function that connects a transport to a peer answering with `serve`.
 */
import { describe, expect, test } from "bun:test";
import { type Bytes, utf8 } from "../src/bytes.ts";
import { EdgeSyncError } from "../src/errors.ts";
import type { Transport } from "../src/transport.ts";

/** The peer: a message in, a message out. Throwing makes the peer fail the exchange. */
export type Serve = (message: Uint8Array) => Promise<Bytes> | Bytes;

export interface Connected {
  readonly transport: Transport;
  close(): Promise<void>;
}

export type Connect = (serve: Serve) => Promise<Connected>;

/** Deterministic bytes that do not compress to nothing. */
export function noise(length: number): Bytes {
  const bytes = new Uint8Array(length);
  let state = 12345;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

export async function failure(promise: Promise<unknown>): Promise<EdgeSyncError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof EdgeSyncError) return error;
    throw error;
  }
  throw new Error("expected the exchange to fail, but it succeeded");
}

export function transportContract(name: string, connect: Connect): void {
  const using = async (serve: Serve, body: (transport: Transport) => Promise<void>) => {
    const { transport, close } = await connect(serve);
    try {
      await body(transport);
    } finally {
      await transport.close();
      await close();
    }
  };

  describe(`transport contract: ${name}`, () => {
    test("carries a message there and its answer back, byte for byte", async () => {
      const request = noise(10_000);
      let seen: Uint8Array | undefined;
      await using(
        (message) => {
          seen = message.slice();
          return utf8("answer\n");
        },
        async (transport) => {
          const reply = await transport.exchange(request);
          expect(seen).toEqual(request);
          expect(reply.message).toEqual(utf8("answer\n"));
          expect(reply.bytesSent).toBeGreaterThan(0);
          expect(reply.bytesReceived).toBeGreaterThan(0);
        },
      );
    });

    test("carries an empty message and an empty answer", async () => {
      await using(
        () => new Uint8Array(0),
        async (transport) => {
          expect((await transport.exchange(new Uint8Array(0))).message).toHaveLength(0);
        },
      );
    });

    test("carries messages of many megabytes", async () => {
      const large = noise(9_000_000);
      await using(
        (message) => message.slice(),
        async (transport) => {
          const progress: number[] = [];
          const reply = await transport.exchange(large, { onProgress: (bytes) => progress.push(bytes) });
          expect(Buffer.compare(reply.message, large)).toBe(0);
          expect(progress.at(-1)).toBe(reply.bytesReceived);
        },
      );
    });

    test("makes one exchange after another, and several at once", async () => {
      await using(
        (message) => message.slice(),
        async (transport) => {
          for (let i = 0; i < 3; i++) {
            expect((await transport.exchange(utf8(`${i}`))).message).toEqual(utf8(`${i}`));
          }
          const replies = await Promise.all([4, 5, 6].map((i) => transport.exchange(utf8(`${i}`))));
          expect(replies.map(({ message }) => new TextDecoder().decode(message))).toEqual(["4", "5", "6"]);
        },
      );
    });

    test("ends early when its signal says so", async () => {
      const reason = new Error("enough");
      const aborter = new AbortController();
      let release: (() => void) | undefined;
      await using(
        async () => {
          aborter.abort(reason);
          await new Promise<void>((resolve) => {
            release = resolve;
          });
          return new Uint8Array(0);
        },
        async (transport) => {
          const outcome = await transport
            .exchange(utf8("x"), { signal: aborter.signal })
            .catch((error) => error);
          expect(outcome).toBe(reason);
          release?.();
        },
      );
    });

    test("names the peer when it fails, and works again afterwards", async () => {
      let fails = true;
      await using(
        (message) => {
          if (fails) throw new Error("the peer is unwell");
          return message.slice();
        },
        async (transport) => {
          const error = await failure(transport.exchange(utf8("x")));
          expect(error.message).toContain(transport.peer);
          fails = false;
          expect((await transport.exchange(utf8("y"))).message).toEqual(utf8("y"));
        },
      );
    });

    test("refuses exchanges once closed", async () => {
      await using(
        (message) => message.slice(),
        async (transport) => {
          await transport.close();
          expect((await failure(transport.exchange(utf8("x")))).code).toBe("transport-closed");
        },
      );
    });
  });
}
