/** A daemon of the program under test in a process of its own, known to be ready by its line on standard error. */
import type { Subprocess } from "bun";
import { text } from "../../src/bytes.ts";
import { atEnd } from "../at-end.ts";
import { edgesyncWords } from "./leaf-process.ts";

const READY_MS_MAX = 30_000;

export class DaemonProcess implements AsyncDisposable {
  /** What it wrote to standard error so far. */
  stderr = "";

  private constructor(
    private readonly child: Subprocess<"ignore", "ignore", "pipe">,
    /** What its ready line tells: addresses by name. */
    readonly addresses: Readonly<Record<string, string>>,
  ) {}

  /** @throws Error with what it wrote, if it ends or says nothing */
  static start(...args: readonly string[]): Promise<DaemonProcess> {
    return DaemonProcess.startWithin([], ...args);
  }

  /** @param within the words of a program that starts it, as `ip netns exec` */
  static startWithin(within: readonly string[], ...args: readonly string[]): Promise<DaemonProcess> {
    return DaemonProcess.startProgram([...within, ...edgesyncWords()], ...args);
  }

  /** @param program the words that start it, if it is not the one under test */
  static async startProgram(program: readonly string[], ...args: readonly string[]): Promise<DaemonProcess> {
    const words = [...program, ...args, "--log-format", "json"];
    const child = Bun.spawn(words, { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
    atEnd(() => child.kill("SIGKILL"));
    const timer = setTimeout(() => child.kill("SIGKILL"), READY_MS_MAX);
    const reader = child.stderr.getReader();
    let said = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (value !== undefined) said += text(value);
      const line = said.split("\n").find((one) => one.includes('"message":"ready"') && one.endsWith("}"));
      if (line !== undefined) {
        clearTimeout(timer);
        const daemon = new DaemonProcess(child, JSON.parse(line));
        daemon.stderr = said;
        void (async () => {
          for (let part = await reader.read(); !part.done; part = await reader.read()) {
            daemon.stderr += text(part.value!);
          }
        })();
        return daemon;
      }
      if (done) throw new Error(`${args[0]} ended without a ready line: ${said}`);
    }
  }

  get pid(): number {
    return this.child.pid;
  }

  /** Kills it, as nobody expects. */
  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.child.exited;
  }

  async stop(): Promise<number> {
    this.child.kill("SIGTERM");
    return this.child.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
