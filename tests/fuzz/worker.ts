/** Runs one parser in a thread of its own, so that `main` notices when it does not come back. */
import { FUZZ_HEAD_BYTES, type FuzzDefect, type FuzzReport, fuzz } from "./fuzzer.ts";
import { INPUT_MAX_BYTES } from "./mutate.ts";
import { targetOf } from "./targets.ts";

declare const self: Worker;

export interface FuzzOrder {
  readonly parser: string;
  readonly executions: number;
  readonly seed: number;
  /**
   * Number of the execution, length of its input, and the most milliseconds that one took, as 32-bit numbers;
   * then the input.
   */
  readonly shared: SharedArrayBuffer;
}

/** A defect as it is found; the report at the end. */
export type FuzzNews = { readonly defect: FuzzDefect } | { readonly report: FuzzReport };

self.onmessage = async ({ data }: MessageEvent<FuzzOrder>) => {
  const { parser, executions, seed, shared } = data;
  const numbers = new Int32Array(shared, 0, FUZZ_HEAD_BYTES / 4);
  const bytes = new Uint8Array(shared, FUZZ_HEAD_BYTES);
  const onInput = (execution: number, input: Uint8Array) => {
    bytes.set(input.subarray(0, 4 * INPUT_MAX_BYTES));
    Atomics.store(numbers, 1, input.length);
    Atomics.store(numbers, 0, execution + 1);
  };
  const tell = (news: FuzzNews) => postMessage(news);
  const onDefect = (defect: FuzzDefect) => tell({ defect });
  const onSlower = (tookMs: number) => Atomics.store(numbers, 2, Math.ceil(tookMs));
  const report = await fuzz(targetOf(parser)!, { executions, seed, onInput, onDefect, onSlower });
  tell({ report });
};
