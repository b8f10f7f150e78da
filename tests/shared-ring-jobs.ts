/** The writing thread of shared-ring.test.ts: pieces of pseudo-random bytes, or a failure after some. */
import { RingClosedError, RingWriter } from "../src/shared-ring.ts";

/** The bytes that the writer writes; each depends on its place. */
export function byteAt(place: number): number {
  return (Math.imul(place, 0x9e3779b1) >>> 13) & 255;
}

export function ringJobs() {
  return {
    started: () => {},
    /** @returns whether all was taken */
    write({ memory, sizes, fails }: { memory: SharedArrayBuffer; sizes: number[]; fails: boolean }): boolean {
      const ring = new RingWriter(memory);
      try {
        ring.awaitReader();
        let place = 0;
        for (const size of sizes) {
          const piece = Uint8Array.from({ length: size }, () => byteAt(place++));
          ring.write(piece);
        }
        if (fails) ring.fail();
        else ring.end();
        return true;
      } catch (error) {
        if (error instanceof RingClosedError) return false;
        throw error;
      }
    },
  };
}
