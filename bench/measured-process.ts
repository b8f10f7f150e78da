/**
 * Runs a command to its end and measures it: wall time, processor time (user and system, of that process and the
 * children it waited for), and the most memory it ever had resident. The last is VmHWM, read from /proc every few
 * milliseconds, so Linux only: the maximum that the system reports of an ended child also counts this
 * program, of which the child was a copy for a moment.
 */
import { readFileSync } from "node:fs";

export interface Measured {
  readonly wallMs: number;
  readonly processorMs: number;
  readonly peakBytes: number;
}

const LOOK_EVERY_MS = 20;

/** @throws Error with what the command said, when it fails */
export async function measureProcess(
  words: readonly string[],
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Measured> {
  const startMs = performance.now();
  const child = Bun.spawn([...words], { stdin: "ignore", stdout: "pipe", stderr: "pipe", env });
  let peakBytes = 0;
  const look = () => {
    peakBytes = Math.max(peakBytes, peakBytesOf(child.pid));
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  try {
    const output = Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    const code = await child.exited;
    const wallMs = performance.now() - startMs;
    const said = await output;
    if (code !== 0) throw new Error(`${words.join(" ")} ended with ${code}: ${said.join("\n")}`);
    return { wallMs, processorMs: Number(child.resourceUsage()!.cpuTime.total) / 1000, peakBytes };
  } finally {
    clearInterval(timer);
  }
}

/** 0 when the process has ended, or where there is no /proc. */
export function peakBytesOf(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
