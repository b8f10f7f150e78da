/**
 * What is at the other end of a descriptor. `node:tty` and `process.stdout` cost more than the start of the
 * whole program, so they are loaded when somebody asks.
 */
import { fstatSync } from "node:fs";

/** Whether a descriptor (0 stdin, 1 stdout, 2 stderr) is a terminal. */
export function isTerminal(descriptor: 0 | 1 | 2): boolean {
  return isDevice(descriptor) && process.getBuiltinModule("node:tty").isatty(descriptor);
}

/** Pipes and files are no terminals, and need not be asked. */
function isDevice(descriptor: number): boolean {
  try {
    return fstatSync(descriptor).isCharacterDevice();
  } catch {
    return false;
  }
}

/** Columns of the terminal on stdout; undefined when it is none. */
export function terminalWidth(): number | undefined {
  return isTerminal(1) ? process.stdout.columns : undefined;
}
