/**
 * Memory for artifacts that are expanded only on the way to another: two buffers in turn, for one step's source
 * and target.
 */
import { EMPTY } from "./bytes.ts";

export class Scratch {
  private current: Uint8Array = EMPTY;
  private previous: Uint8Array = EMPTY;

  next(): Uint8Array {
    [this.current, this.previous] = [this.previous, this.current];
    return this.current;
  }

  /** Makes the buffer last given out large enough for next time. */
  fit(size: number): void {
    if (size > this.current.length) this.current = new Uint8Array(Math.ceil(size * 1.25));
  }
}
