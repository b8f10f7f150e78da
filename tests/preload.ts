/**
 * Loaded before every test run (bunfig.toml): a time limit that a busy machine does not reach (for the first
 * file; `tests/run.ts` passes it for all), and the removal of temporary folders and processes at the end.
 */
import { afterAll, setDefaultTimeout } from "bun:test";
import { runAtEnd } from "./at-end.ts";

setDefaultTimeout(60_000);
afterAll(runAtEnd);
