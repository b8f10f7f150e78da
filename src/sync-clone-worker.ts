/** Entry point of a clone's worker threads. */
import { systemClock } from "./clock.ts";
import { serveJobs } from "./executor.ts";
import { systemRandom } from "./random.ts";
import { createCloneJobs } from "./sync-clone-jobs.ts";

serveJobs(createCloneJobs({ clock: systemClock, random: systemRandom }));
