/** Entry point of the leaf's worker threads. */
import { systemClock } from "./clock.ts";
import { serveJobs } from "./executor.ts";
import { createLeafJobs } from "./leaf-jobs.ts";
import { systemRandom } from "./random.ts";

serveJobs(createLeafJobs({ clock: systemClock, random: systemRandom }));
