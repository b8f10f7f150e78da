/** What a command is given to work with: time, chance, the environment, a place for its results. */
import type { Output } from "./cli-output.ts";
import type { Clock } from "./clock.ts";
import type { Random } from "./random.ts";

/** The options every command has. */
export interface GlobalValues {
  readonly repository: string | undefined;
  readonly checkout: string;
  readonly json: boolean;
  readonly verbose: boolean;
  readonly quiet: boolean;
  readonly color: boolean;
}

export interface CliContext {
  readonly globals: GlobalValues;
  readonly out: Output;
  readonly clock: Clock;
  readonly random: Random;
  readonly env: Readonly<Record<string, string | undefined>>;
}
