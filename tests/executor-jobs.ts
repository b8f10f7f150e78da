/** Jobs that executor.test.ts runs inline and in threads. */
import { LimitError } from "../src/errors.ts";
import { Transferable } from "../src/executor.ts";

export type TestJobs = ReturnType<typeof testJobs>;

export function testJobs() {
  let calls = 0;
  return {
    add: ([a, b]: readonly [number, number]): number => a + b,
    count: (): number => ++calls,
    later: async (value: string): Promise<string> => {
      await Promise.resolve();
      return value;
    },
    fail: (): never => {
      throw new LimitError("too-much", "more than enough", { hint: "take less", data: { count: 3 } });
    },
    crash: (): never => {
      throw new TypeError("not on purpose");
    },
    double: (bytes: Uint8Array<ArrayBuffer>): Transferable<Uint8Array<ArrayBuffer>> => {
      const doubled = bytes.map((byte) => byte * 2);
      return new Transferable(doubled, [doubled.buffer]);
    },
  };
}
