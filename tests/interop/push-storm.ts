/**
 * Many people with stock Fossil who check in and push at the same time, each on a branch of their own: how long
 * each push takes, and whether all that was pushed is there.
 *
 * `push`: autosync is off, and each check-in is pushed by a command of its own, whose time counts. `autosync`: each
 * commit pulls, locks, checks in and pushes, as stock does by default; the time of the whole command counts.
 */
import { utimesSync } from "node:fs";
import { join } from "node:path";
import type { TempDir } from "../temp-dir.ts";
import type { Stock } from "./stock.ts";
import { artifactSet } from "./tables.ts";

export type StormMode = "push" | "autosync";

export interface StormOptions {
  readonly stock: Stock;
  /** The served repository's address, with a login that may check in. */
  readonly url: string;
  readonly clients: number;
  /** Of each client. */
  readonly checkIns: number;
  readonly mode: StormMode;
  readonly temp: TempDir;
}

export interface StormResult {
  /** Milliseconds that each push took. */
  readonly waits: readonly number[];
  /** Milliseconds from the first check-in to the end of the last push. */
  readonly elapsed: number;
  /** Public artifacts that the clients hold: `HASH SIZE`. */
  readonly held: ReadonlySet<string>;
  /** What clients said that they should not have had to say. */
  readonly complaints: readonly string[];
}

const PUSH_MS_MAX = 120_000;

export async function storm(options: StormOptions): Promise<StormResult> {
  const { clients } = options;
  const waits: number[] = [];
  const complaints: string[] = [];
  const people: Person[] = [];
  for (let i = 0; i < clients; i++) people.push(await Person.join(options, i));
  const started = performance.now();
  await Promise.all(people.map((person) => person.work(waits, complaints)));
  const elapsed = performance.now() - started;
  const held = new Set(people.flatMap(({ repository }) => artifactSet(repository)));
  return { waits, elapsed, held, complaints };
}

class Person {
  readonly repository: string;
  private readonly checkout: string;

  private constructor(
    private readonly options: StormOptions,
    private readonly number: number,
  ) {
    this.repository = options.temp.join(`${number}.fossil`);
    this.checkout = options.temp.folder(`${number}`);
  }

  static async join(options: StormOptions, number: number): Promise<Person> {
    const person = new Person(options, number);
    await options.stock.ok(["clone", options.url, person.repository, "--no-open", "--save-http-password"]);
    await person.run(["open", person.repository, "trunk"]);
    await person.run(["settings", "autosync", options.mode === "autosync" ? "on" : "off"]);
    return person;
  }

  async work(waits: number[], complaints: string[]): Promise<void> {
    const { checkIns, mode } = this.options;
    for (let i = 0; i < checkIns; i++) {
      this.edit(i);
      if (i === 0) await this.run(["add", "."]);
      const commit = ["commit", "-m", `Check-in ${i} of ${this.number}`, "--no-warnings"];
      const branch = i === 0 ? ["--branch", `client-${this.number}`] : [];
      if (mode === "push") await this.run([...commit, ...branch]);
      const started = performance.now();
      const { said, isDone } = await this.attempt(mode === "push" ? ["push"] : [...commit, ...branch]);
      waits.push(performance.now() - started);
      const isTrouble = !isDone || /Error|server returned|fork|timed? ?out/i.test(said);
      if (isTrouble) complaints.push(`client ${this.number}: ${said}`);
    }
  }

  private edit(round: number): void {
    const name = join(`${this.number}`, "file.txt");
    const lines = Array.from(
      { length: 100 },
      (_, i) => `line ${i} by ${this.number} ${i <= round ? `of ${round}` : ""}`,
    );
    this.options.temp.write(name, lines.join("\n"));
    // Stock notices an edit by size or whole seconds.
    utimesSync(this.options.temp.join(name), 1_600_000_000 + round, 1_600_000_000 + round);
  }

  private async run(args: readonly string[]): Promise<void> {
    const { said, isDone } = await this.attempt(args);
    if (!isDone) throw new Error(`client ${this.number}: fossil ${args.join(" ")}: ${said}`);
  }

  private async attempt(
    args: readonly string[],
  ): Promise<{ readonly said: string; readonly isDone: boolean }> {
    const { stock } = this.options;
    const { code, stdout, stderr } = await stock.run(args, { cwd: this.checkout, timeoutMs: PUSH_MS_MAX });
    return { said: stdout + stderr, isDone: code === 0 };
  }
}

/** What the clients hold and the served file does not. */
export function lostIn(served: string, { held }: StormResult): string[] {
  const there = new Set(artifactSet(served));
  return [...held].filter((line) => !there.has(line));
}
