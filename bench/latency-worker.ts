/** The threads of the leaf that `bench/latency.ts` measures, which tell at once when a transaction of news is over. */
import { systemClock } from "../src/clock.ts";
import { serveJobs } from "../src/executor.ts";
import { createLeafJobs } from "../src/leaf-jobs.ts";
import { systemRandom } from "../src/random.ts";

const jobs = createLeafJobs({ clock: systemClock, random: systemRandom });
const told = new BroadcastChannel("crosslinked");

/** The same job, and the time when what it received was committed and crosslinked. */
function timed<I, O>(job: (input: I) => O): (input: I) => O {
  return (input) => {
    const output = job(input);
    told.postMessage(performance.timeOrigin + performance.now());
    return output;
  };
}

serveJobs({
  ...jobs,
  syncStep: timed(jobs.syncStep),
  syncBeginAnswered: timed(jobs.syncBeginAnswered),
});
