/** A worker for executor.test.ts. */
import { serveJobs } from "../src/executor.ts";
import { testJobs } from "./executor-jobs.ts";

serveJobs(testJobs());
