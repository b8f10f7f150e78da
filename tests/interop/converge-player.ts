/** Someone who takes part: a login at the leaf, a clone, and a way to do each kind of step. */
import type { Kind, Step } from "./converge-plan.ts";

export interface Player {
  readonly name: string;
  readonly repository: string;
  /** May exchange private artifacts and change the leaf's configuration. */
  readonly isTrusted: boolean;
  /** Does a step as a person would, trying again where the program says so. @throws Surprise */
  readonly verbs: Readonly<Record<Kind, (step: Step) => Promise<void>>>;
  /** Exchanges all that may be exchanged. Returns what the program said of it. */
  settle(): Promise<string>;
  /** Removes what is shunned. */
  purge(): Promise<void>;
}

/** A command said what nobody expects. */
export class Surprise extends Error {
  override name = "Surprise";
}

/** How a player gets at the leaf. */
export interface Place {
  readonly name: string;
  readonly isTrusted: boolean;
  /** The leaf's address with the login in it. */
  readonly url: string;
}

export function settingValue(name: string, id: string): string {
  return name.startsWith("interwiki:") ? `{"base":"http://example.org/${id}"}` : `# ${id}`;
}

/** Seconds since 1970, another for every step: of two changes of one second each end would keep its own. */
export function settingTime(stamp: number): number {
  return 1_790_000_000 + stamp;
}
