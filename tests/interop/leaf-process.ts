/**
 * A leaf in a process of its own, as users run it: `edgesync leaf --repo FILE --serve-http 127.0.0.1:0`. Run from
 * source by this Bun, or the executable that EDGESYNC_TEST_BINARY names.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { text } from "../../src/bytes.ts";
import { atEnd } from "../at-end.ts";

const READY_MS_MAX = 30_000;
const STOP_MS_MAX = 30_000;

/** The words that start the program under test. */
export function edgesyncWords(): readonly string[] {
  const binary = process.env["EDGESYNC_TEST_BINARY"];
  return binary ? [binary] : [process.execPath, join(import.meta.dirname, "../../src/main.ts")];
}

type Read = () => Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;

export class LeafProcess {
  /** Without a slash at the end. */
  readonly url: string;
  /** What it wrote to standard error so far. */
  stderr = "";

  private constructor(
    private readonly child: Subprocess<"ignore", "ignore", "pipe">,
    url: string,
  ) {
    this.url = url.replace(/\/$/, "");
  }

  /**
   * Starts a leaf on `repository` and waits for its ready line.
   *
   * @throws Error with what it wrote, if it ends or says nothing
   */
  static async start(repository: string, args: readonly string[] = []): Promise<LeafProcess> {
    const words = [...edgesyncWords(), "leaf", "--repo", repository, "--serve-http", "127.0.0.1:0", ...args];
    const child = Bun.spawn(words, { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
    atEnd(() => child.kill("SIGKILL"));
    const timer = setTimeout(() => child.kill("SIGKILL"), READY_MS_MAX);
    const reader = child.stderr.getReader();
    let said = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (value !== undefined) said += text(value);
      const url = /http:\/\/127\.0\.0\.1:\d+/.exec(said)?.[0];
      if (url !== undefined) {
        clearTimeout(timer);
        const leaf = new LeafProcess(child, url);
        leaf.stderr = said;
        void leaf.drain(() => reader.read());
        return leaf;
      }
      if (done) throw new Error(`the leaf ended without a ready line: ${said}`);
    }
  }

  get pid(): number {
    return this.child.pid;
  }

  urlAs(login: string, password: string): string {
    return this.url.replace("//", `//${encodeURIComponent(login)}:${encodeURIComponent(password)}@`);
  }

  /** Most memory it ever had resident, in bytes. Linux only. */
  peakMemoryBytes(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, "utf8");
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)![1]) * 1024;
  }

  /** Asks it to stop, and kills it if it does not. Returns its exit status, that of a killed one past 128. */
  async stop(): Promise<number> {
    this.child.kill("SIGTERM");
    const timer = setTimeout(() => this.child.kill("SIGKILL"), STOP_MS_MAX);
    const status = await this.child.exited;
    clearTimeout(timer);
    return status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  private async drain(read: Read): Promise<void> {
    for (let part = await read(); !part.done; part = await read()) this.stderr += text(part.value!);
  }
}
