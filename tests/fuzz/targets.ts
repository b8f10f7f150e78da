/** Every parser of bytes that somebody else has made, with examples of what it reads and words of its format. */
import type { FuzzTarget } from "./fuzzer.ts";
import { CONTENT_TARGETS } from "./targets-content.ts";
import { LOCAL_TARGETS } from "./targets-local.ts";
import { NATS_TARGETS } from "./targets-nats.ts";
import { XFER_TARGETS } from "./targets-xfer.ts";

export const TARGETS: readonly FuzzTarget[] = [
  ...CONTENT_TARGETS,
  ...XFER_TARGETS,
  ...NATS_TARGETS,
  ...LOCAL_TARGETS,
];

export const targetOf = (name: string): FuzzTarget | undefined =>
  TARGETS.find((target) => target.name === name);
