/**
 * Threads as a dependency. An `Executor` runs named jobs; where they run is its own business: in
 * long-lived worker threads in production, inline (same thread, same order) in tests and in the
 * simulator. Jobs are functions of one structured-cloneable argument; a worker may hold state between
 * jobs (an open database), which is why an executor can be asked to run one job on every worker.
 */
import { type ErrorRecord, errorToRecord, reviveError } from "./errors.ts";

// biome-ignore lint/suspicious/noExplicitAny: a job table maps names to functions of any one argument
export type Jobs = Readonly<Record<string, (input: any) => unknown>>;
type Input<J extends Jobs, K extends keyof J> = Parameters<J[K]>[0];
type Output<J extends Jobs, K extends keyof J> =
  Awaited<ReturnType<J[K]>> extends Transferable<infer T> ? T : Awaited<ReturnType<J[K]>>;

export interface Executor<J extends Jobs> {
  /** Runs one job on the least busy worker. Buffers in `transfer` move instead of being copied. */
  run<K extends keyof J & string>(
    job: K,
    input: Input<J, K>,
    transfer?: readonly ArrayBuffer[],
  ): Promise<Output<J, K>>;
  /** Runs one job on every worker, for instance to open or close a database there. */
  runOnAll<K extends keyof J & string>(job: K, input: Input<J, K>): Promise<Output<J, K>[]>;
  /** Jobs accepted and not yet finished. */
  readonly pendingCount: number;
  /** Lets running jobs finish, refuses new ones, ends the threads. */
  close(): Promise<void>;
}

/** A job's result together with the buffers in it that may move to the caller instead of being copied. */
export class Transferable<T> {
  constructor(
    readonly value: T,
    readonly buffers: readonly ArrayBuffer[],
  ) {}
}

interface Request {
  readonly id: number;
  readonly job: string;
  readonly input: unknown;
}

type Reply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: ErrorRecord };

/** Runs jobs on this thread, each in its own microtask, in the order they were asked for. */
export function inlineExecutor<J extends Jobs>(jobs: J): Executor<J> {
  let pending = 0;
  const run = async <K extends keyof J & string>(job: K, input: Input<J, K>): Promise<Output<J, K>> => {
    pending++;
    try {
      await Promise.resolve();
      const result = await jobs[job]!(input);
      return (result instanceof Transferable ? result.value : result) as Output<J, K>;
    } finally {
      pending--;
    }
  };
  return {
    run,
    runOnAll: async (job, input) => [await run(job, input)],
    get pendingCount() {
      return pending;
    },
    close: async () => {},
  };
}

interface Lane {
  readonly worker: Worker;
  readonly waiting: Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>;
}

/**
 * Runs jobs in `threadCount` workers started from `url`, a module that calls `serveJobs`. The workers
 * stay alive until `close`. A worker that dies fails the jobs it had and is replaced.
 */
export function workerExecutor<J extends Jobs>(url: string | URL, threadCount: number): Executor<J> {
  let nextId = 1;
  let closing = false;
  let onIdle: (() => void) | undefined;
  const pendingCount = () => lanes.reduce((sum, lane) => sum + lane.waiting.size, 0);

  const start = (): Lane => {
    const worker = new Worker(typeof url === "string" ? url : url.href);
    const lane: Lane = { worker, waiting: new Map() };
    worker.onmessage = (event: MessageEvent<Reply>) => {
      const reply = event.data;
      const waiter = lane.waiting.get(reply.id);
      lane.waiting.delete(reply.id);
      if ("error" in reply) waiter?.reject(reviveError(reply.error));
      else waiter?.resolve(reply.value);
      if (pendingCount() === 0) onIdle?.();
    };
    worker.onerror = (event) => {
      event.preventDefault?.();
      const index = lanes.indexOf(lane);
      if (index >= 0 && !closing) lanes[index] = start();
      for (const waiter of lane.waiting.values()) waiter.reject(new Error(`worker died: ${event.message}`));
      lane.waiting.clear();
      worker.terminate();
      if (pendingCount() === 0) onIdle?.();
    };
    return lane;
  };
  const lanes: Lane[] = [];
  for (let i = 0; i < threadCount; i++) lanes.push(start());

  const send = (
    lane: Lane,
    job: string,
    input: unknown,
    transfer: readonly ArrayBuffer[],
  ): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const request: Request = { id: nextId++, job, input };
      lane.waiting.set(request.id, { resolve, reject });
      try {
        lane.worker.postMessage(request, [...transfer]);
      } catch (error) {
        lane.waiting.delete(request.id);
        reject(error);
      }
    });
  const refuseIfClosing = () => {
    if (closing) throw new Error("executor is closed");
  };

  return {
    async run(job, input, transfer = []) {
      refuseIfClosing();
      const lane = lanes.reduce((least, other) => (other.waiting.size < least.waiting.size ? other : least));
      return (await send(lane, job, input, transfer)) as never;
    },
    async runOnAll(job, input) {
      refuseIfClosing();
      return (await Promise.all(lanes.map((lane) => send(lane, job, input, [])))) as never;
    },
    get pendingCount() {
      return pendingCount();
    },
    async close() {
      closing = true;
      if (pendingCount() > 0) {
        await new Promise<void>((resolve) => {
          onIdle = resolve;
        });
      }
      for (const lane of lanes) lane.worker.terminate();
    },
  };
}

/** The worker's side: answers the jobs that a `workerExecutor` sends to this thread. */
export function serveJobs(jobs: Jobs): void {
  const port = globalThis as unknown as Worker;
  port.onmessage = async (event: MessageEvent<Request>) => {
    const { id, job, input } = event.data;
    try {
      const handler = jobs[job];
      if (handler === undefined) throw new Error(`no job is named ${job}`);
      const result = await handler(input);
      const moved = result instanceof Transferable;
      const reply: Reply = { id, value: moved ? result.value : result };
      port.postMessage(reply, moved ? [...result.buffers] : []);
    } catch (error) {
      const reply: Reply = { id, error: errorToRecord(error) };
      port.postMessage(reply);
    }
  };
}
