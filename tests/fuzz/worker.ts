/** Runs one parser in a thread of its own, so that `main` notices when it does not come back. */
import { fuzz } from "./fuzzer.ts";
import { INPUT_MAX_BYTES } from "./mutate.ts";
import { targetOf } from "./targets.ts";

declare const self: Worker;

export interface FuzzOrder {
  readonly parser: string;
  readonly executions: number;
  readonly seed: number;
  /** Number of the execution and length of its input as 32-bit numbers, then the input. */
  readonly shared: SharedArrayBuffer;
}

self.onmessage = async ({ data }: MessageEvent<FuzzOrder>) => {
  const { parser, executions, seed, shared } = data;
  const numbers = new Int32Array(shared, 0, 2);
  const bytes = new Uint8Array(shared, 8);
  const onInput = (execution: number, input: Uint8Array) => {
    bytes.set(input.subarray(0, 4 * INPUT_MAX_BYTES));
    Atomics.store(numbers, 1, input.length);
    Atomics.store(numbers, 0, execution + 1);
  };
  postMessage(await fuzz(targetOf(parser)!, { executions, seed, onInput }));
};
