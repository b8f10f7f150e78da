/**
 * What a test run leaves behind is removed here, whatever ends it: `tests/preload.ts` calls `runAtEnd`
 * after the last test (a test process fires no `exit` event), and so does the end of any other process.
 */
const actions: (() => void)[] = [];

/** Runs `action` when the process has no more work to do. Later registrations run first. */
export function atEnd(action: () => void): void {
  actions.push(action);
}

export function runAtEnd(): void {
  for (let action = actions.pop(); action !== undefined; action = actions.pop()) action();
}

process.on("exit", runAtEnd);
if (process.env["NODE_ENV"] !== "test") {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));
}
