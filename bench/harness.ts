/**
 * What benchmarks share. Measurements of two programs alternate, so that a busy moment of the machine touches
 * both, and medians are compared. Each measurement is a row: a value, its unit, and the limit it must keep
 * where there is one: PASS or MISS.
 *
 * A table goes to standard error as it grows; its last line tells how much of the processors the host of a virtual
 * machine kept for itself meanwhile (steal) and the load: with more than a few percent, or a load above the program's own,
 * times say little. With `--json` one document goes to standard output:
 * {"bench": NAME, "machine": {…}, "rows": [{"name","value","unit","limit","floor","kept","samples"}]}. The exit status is 1
 * when a limit is not kept.
 */
import { readFileSync } from "node:fs";
import { cpus, loadavg, totalmem } from "node:os";

export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** At most this. */
  readonly limit?: number;
  /** At least this. */
  readonly floor?: number;
  readonly samples?: readonly number[];
}

export class Report {
  private readonly rows: Row[] = [];
  private readonly startTicks = processorTicks();

  constructor(private readonly bench: string) {}

  add(row: Row): void {
    this.rows.push(row);
    const bound =
      row.limit === undefined ? row.floor && `at least ${row.floor}` : `at most ${short(row.limit)}`;
    const verdict = bound === undefined ? "" : `  (${bound}: ${kept(row) ? "PASS" : "MISS"})`;
    const spread = row.samples === undefined ? "" : `  [${row.samples.map(short).join(" ")}]`;
    const value = `${short(row.value)} ${row.unit}`.padStart(14);
    process.stderr.write(`${row.name.padEnd(58)} ${value}${verdict}${spread}\n`);
  }

  note(text: string): void {
    process.stderr.write(`# ${text}\n`);
  }

  /** Writes the JSON document if asked for, and sets the exit status. */
  finish(): void {
    const { stolen, total } = processorTicks();
    const stealPercent = (100 * (stolen - this.startTicks.stolen)) / (total - this.startTicks.total || 1);
    const load = loadavg()[0]!;
    this.note(`steal ${stealPercent.toFixed(1)} % of the processors; load ${load.toFixed(1)} at the end`);
    if (process.argv.includes("--json")) {
      const machine = {
        cpus: cpus().length,
        cpu: cpus()[0]?.model,
        memoryBytes: totalmem(),
        bun: Bun.version,
        stealPercent,
        load,
      };
      const rows = this.rows.map((row) => ({ ...row, kept: kept(row) }));
      process.stdout.write(`${JSON.stringify({ bench: this.bench, machine, rows })}\n`);
    }
    if (!this.rows.every(kept)) process.exitCode = 1;
  }
}

/** Since the machine started, of all processors, in ticks; nothing where there is no /proc. */
function processorTicks(): { readonly stolen: number; readonly total: number } {
  try {
    const ticks = readFileSync("/proc/stat", "utf8")
      .split("\n", 1)[0]!
      .trim()
      .split(/\s+/)
      .slice(1)
      .map(Number);
    return { stolen: ticks[7] ?? 0, total: ticks.slice(0, 8).reduce((sum, value) => sum + value, 0) };
  } catch {
    return { stolen: 0, total: 0 };
  }
}

function kept(row: Row): boolean {
  return row.value <= (row.limit ?? row.value) && row.value >= (row.floor ?? row.value);
}

function short(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toPrecision(value >= 100 ? 4 : 3);
}

/** Runs the subjects in turn, `rounds` times after one unmeasured round. Returns each one's samples. */
export async function alternate<N extends string>(
  rounds: number,
  subjects: Readonly<Record<N, () => Promise<number>>>,
): Promise<Record<N, number[]>> {
  const names = Object.keys(subjects) as N[];
  const samples = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<N, number[]>;
  for (let round = -1; round < rounds; round++) {
    for (const name of names) {
      const value = await subjects[name]();
      if (round >= 0) samples[name].push(value);
    }
  }
  return samples;
}

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** The value that `percent` of the values do not exceed. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)]!;
}

/** Milliseconds that `body` takes. */
export async function timed(body: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await body();
  return performance.now() - started;
}

/** A number given as `--name VALUE`. */
export function numberOption(name: string, fallback: number): number {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : Number(process.argv[at + 1]);
}

/** A word given as `--name WORD`. */
export function wordOption(name: string): string | undefined {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : process.argv[at + 1];
}
