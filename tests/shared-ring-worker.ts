/** A worker for shared-ring.test.ts. */
import { serveJobs } from "../src/executor.ts";
import { ringJobs } from "./shared-ring-jobs.ts";

serveJobs(ringJobs());
