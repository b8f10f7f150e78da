/** Entry point of the thread that reads ahead for `edgesync repo rebuild`. */
import { systemClock } from "./clock.ts";
import { serveJobs } from "./executor.ts";
import { systemRandom } from "./random.ts";
import { createReadAheadJobs } from "./repo-rebuild-threads.ts";

serveJobs(createReadAheadJobs({ clock: systemClock, random: systemRandom }));
