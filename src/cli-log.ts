/**
 * How log lines look on stderr: for people through consola, for programs as one JSON object a line with
 * `time` (ISO 8601, UTC), `level`, `message` and the line's fields.
 */
import type { CliContext } from "./cli-context.ts";
import type { Output } from "./cli-output.ts";
import type { Clock } from "./clock.ts";
import { createLogger, type LogFields, type Logger, type LogLevel } from "./log.ts";

export const LOG_FORMATS = ["pretty", "json"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
}

export async function stderrLogger(options: LogOptions, { clock, out }: CliContext): Promise<Logger> {
  if (options.format === "json") return createLogger(options.level, jsonSink(clock, out));
  const { createConsola } = await import("consola/basic");
  const stream = { write: (line: string) => out.log(line.trimEnd()) } as unknown as NodeJS.WriteStream;
  const consola = createConsola({
    level: 5,
    stdout: stream,
    stderr: stream,
    formatOptions: { colors: out.color },
  });
  return createLogger(options.level, (level, message, fields) => consola[level](message + describe(fields)));
}

const jsonSink = (clock: Clock, out: Output) => (level: LogLevel, message: string, fields: LogFields) => {
  const time = new Date(clock.now()).toISOString();
  out.log(JSON.stringify({ time, level, message, ...fields }));
};

/** ` name=value name="a value"` */
function describe(fields: LogFields): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${/^[^\s"=]+$/.test(`${value}`) ? value : JSON.stringify(value)}`)
    .join("");
}
