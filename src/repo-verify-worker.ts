/** Entry point of the threads that `edgesync repo verify` hashes in. */
import { systemClock } from "./clock.ts";
import { serveJobs } from "./executor.ts";
import { systemRandom } from "./random.ts";
import { createVerifyJobs } from "./repo-verify.ts";

serveJobs(createVerifyJobs({ clock: systemClock, random: systemRandom }));
