/**
 * Signals that end a program (SIGINT, SIGTERM), for commands that must not stop amid a change. While they are held one
 * takes effect when the command gives way to the event loop: it says so and ends with the shell's code, 128 and the signal's number.
 */
import type { Output } from "./cli-output.ts";

const SIGNAL_EXITS = { SIGINT: 130, SIGTERM: 143 } as const;

/** From now on the signals that end a program end it between two changes only. Returns what ends that. */
export function holdSignals(out: Output): () => void {
  const handlers = Object.entries(SIGNAL_EXITS).map(([signal, code]) => {
    const handler = () => {
      out.log("edgesync: interrupted");
      process.exit(code);
    };
    process.on(signal, handler);
    return () => process.off(signal, handler);
  });
  return () => {
    for (const release of handlers) release();
  };
}
