/**
 * One bidirectional stream as bytes. The addon takes and gives arrays of numbers, which are copied here, piece by
 * piece of `IROH_CHUNK_BYTES`; an addon that gives byte arrays needs no change but in `toAddon`.
 *
 * Back-pressure: `write` resolves when QUIC has taken the bytes, which it does as the peer reads.
 */
import type { BiStream } from "@number0/iroh";
import type { Bytes } from "./bytes.ts";
import { IROH_CHUNK_BYTES } from "./limits.ts";

/** The error code of a stream that is broken off. */
const BROKEN_OFF = 1n;

export class IrohStream {
  private readonly recv: BiStream["recv"];
  private readonly send: BiStream["send"];

  constructor(stream: BiStream) {
    this.recv = stream.recv;
    this.send = stream.send;
  }

  /** The next bytes, at most `IROH_CHUNK_BYTES`; undefined at the end. Rejects when the peer breaks off. */
  async read(): Promise<Bytes | undefined> {
    const bytes = await this.recv.read(IROH_CHUNK_BYTES);
    return bytes.length === 0 ? undefined : new Uint8Array(bytes);
  }

  /** Rejects when the peer breaks off. The bytes may be used again when it resolves. */
  async write(bytes: Uint8Array, onProgress?: () => void): Promise<void> {
    for (let at = 0; at < bytes.length; at += IROH_CHUNK_BYTES) {
      await this.send.writeAll(toAddon(bytes, at, Math.min(bytes.length, at + IROH_CHUNK_BYTES)));
      onProgress?.();
    }
  }

  /** The peer reads to here. */
  async finish(): Promise<void> {
    await this.send.finish();
  }

  /** Breaks off both directions. */
  abort(): void {
    // Either may be over already.
    this.send.reset(BROKEN_OFF).catch(() => {});
    this.recv.stop(BROKEN_OFF).catch(() => {});
  }
}

/** A loop is ten times as fast as `Array.from`. */
function toAddon(bytes: Uint8Array, start: number, end: number): number[] {
  const numbers = new Array<number>(end - start);
  for (let i = start; i < end; i++) numbers[i - start] = bytes[i]!;
  return numbers;
}
