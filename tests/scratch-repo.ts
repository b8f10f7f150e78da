/** Repositories for unit tests: in a temporary folder, with a clock that stands still and seeded chance. */
import type { Clock } from "../src/clock.ts";
import { systemClock } from "../src/clock.ts";
import { type EpochMs, parseDate } from "../src/julian.ts";
import { type Random, seededRandom } from "../src/random.ts";
import { type CreateOptions, type OpenOptions, Repo } from "../src/repo.ts";
import { TempDir } from "./temp-dir.ts";

/** A clock whose wall time is set by hand. */
export class StandingClock implements Clock {
  readonly monotonic = systemClock.monotonic;
  readonly after = systemClock.after;
  readonly sleep = systemClock.sleep;

  constructor(public time: EpochMs = parseDate("2026-01-31T12:00:00")) {}

  now(): EpochMs {
    return this.time;
  }
}

/** A folder with one repository in it, open for writing; `using` closes and removes it. */
export class ScratchRepo implements Disposable {
  readonly folder = new TempDir("repo");
  readonly path = this.folder.join("x.fossil");
  readonly clock = new StandingClock();
  readonly random: Random = seededRandom(1n);
  repo: Repo;

  constructor(options: Partial<CreateOptions> = {}) {
    const { clock, random } = this;
    this.repo = Repo.create(this.path, { clock, random, user: "ann", password: "secret", ...options });
  }

  /** Closes the repository and opens it again. */
  reopen(options: Partial<OpenOptions> = {}): Repo {
    this.repo.close();
    const { clock, random } = this;
    this.repo = Repo.open(this.path, { mode: "write", clock, random, ...options });
    return this.repo;
  }

  [Symbol.dispose](): void {
    this.repo.close();
    this.folder.remove();
  }
}
