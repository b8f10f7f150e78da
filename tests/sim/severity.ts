/** How bad the world is. Probabilities are per message unless they say otherwise. */

export const SEVERITIES = ["calm", "adverse", "hostile"] as const;
export type Severity = (typeof SEVERITIES)[number];

export interface Faults {
  /** Simulated milliseconds on the way, one way. */
  readonly delayMaxMs: number;
  /** Now and then a message is this many times as slow, and so comes after later ones. */
  readonly straggler: number;
  readonly lostRequest: number;
  readonly lostReply: number;
  /** The server gets it a second time; the client hears the first answer. */
  readonly duplicated: number;
  readonly truncated: number;
  readonly flipped: number;
  /** Of a stream of bytes, per write. */
  readonly reset: number;
  /** Per fault point inside a node. */
  readonly crash: number;
  /** Weights of what the plan does to machines, beside the work of people (weight 100 in all). */
  readonly weights: {
    readonly crash: number;
    readonly partition: number;
    readonly clock: number;
    readonly disk: number;
    readonly liar: number;
  };
}

export const FAULTS: Readonly<Record<Severity, Faults>> = {
  calm: {
    delayMaxMs: 50,
    straggler: 0,
    lostRequest: 0,
    lostReply: 0,
    duplicated: 0,
    truncated: 0,
    flipped: 0,
    reset: 0,
    crash: 0,
    weights: { crash: 0, partition: 0, clock: 0, disk: 0, liar: 0 },
  },
  adverse: {
    delayMaxMs: 2_000,
    straggler: 0.05,
    lostRequest: 0.03,
    lostReply: 0.03,
    duplicated: 0.02,
    truncated: 0.01,
    flipped: 0.01,
    reset: 0.002,
    crash: 0.001,
    weights: { crash: 5, partition: 8, clock: 3, disk: 2, liar: 0 },
  },
  hostile: {
    delayMaxMs: 10_000,
    straggler: 0.15,
    lostRequest: 0.1,
    lostReply: 0.1,
    duplicated: 0.1,
    truncated: 0.05,
    flipped: 0.05,
    reset: 0.01,
    crash: 0.01,
    weights: { crash: 15, partition: 15, clock: 8, disk: 8, liar: 35 },
  },
};
