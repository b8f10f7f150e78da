/**
 * Threads as a dependency. An `Executor` runs named jobs; where they run is its own business: in
 * long-lived worker threads in production, inline (same thread, same order) in tests and in the
 * simulator. Jobs are functions of one structured-cloneable argument; a worker may hold state between
 * jobs (an open database), which is why an executor can be asked to run one job on every worker there is.
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
  /** Runs one job on every worker that has started, for instance to close what it holds open. */
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

type Waiter = { resolve(value: unknown): void; reject(error: unknown): void };

/** One worker and the jobs it has. The thread starts with its first job. */
class Lane {
  readonly waiting = new Map<number, Waiter>();
  private worker: Worker | undefined;

  constructor(
    private readonly url: string,
    private readonly onSettled: () => void,
  ) {}

  get isStarted(): boolean {
    return this.worker !== undefined;
  }

  send(request: Request, transfer: readonly ArrayBuffer[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.waiting.set(request.id, { resolve, reject });
      try {
        this.worker ??= this.start();
        this.worker.postMessage(request, [...transfer]);
      } catch (error) {
        this.waiting.delete(request.id);
        reject(error);
      }
    });
  }

  stop(): void {
    this.worker?.terminate();
    this.worker = undefined;
  }

  private start(): Worker {
    const worker = new Worker(this.url);
    worker.onmessage = (event: MessageEvent<Reply>) => {
      const reply = event.data;
      const waiter = this.waiting.get(reply.id);
      this.waiting.delete(reply.id);
      if ("error" in reply) waiter?.reject(reviveError(reply.error));
      else waiter?.resolve(reply.value);
      this.onSettled();
    };
    // The thread is gone: its jobs fail, and the next job starts another.
    worker.onerror = (event) => {
      event.preventDefault?.();
      this.stop();
      const lost = [...this.waiting.values()];
      this.waiting.clear();
      for (const waiter of lost) waiter.reject(new Error(`worker died: ${event.message}`));
      this.onSettled();
    };
    return worker;
  }
}

/**
 * Runs jobs in up to `threadCount` workers started from `url`, a module that calls `serveJobs`. A worker
 * starts when there is no idle one for a job, and stays alive until `close`. A worker that dies fails the
 * jobs it had and is replaced.
 */
export function workerExecutor<J extends Jobs>(url: string | URL, threadCount: number): Executor<J> {
  const href = typeof url === "string" ? url : url.href;
  let nextId = 1;
  let closing = false;
  let onIdle: (() => void) | undefined;
  const pendingCount = () => lanes.reduce((sum, lane) => sum + lane.waiting.size, 0);
  const onSettled = () => {
    if (pendingCount() === 0) onIdle?.();
  };
  const lanes = Array.from({ length: threadCount }, () => new Lane(href, onSettled));

  const send = (lane: Lane, job: string, input: unknown, transfer: readonly ArrayBuffer[] = []) =>
    lane.send({ id: nextId++, job, input }, transfer);
  const pick = (): Lane =>
    lanes.find((lane) => lane.isStarted && lane.waiting.size === 0) ??
    lanes.find((lane) => !lane.isStarted) ??
    lanes.reduce((least, other) => (other.waiting.size < least.waiting.size ? other : least));
  const refuseIfClosing = () => {
    if (closing) throw new Error("executor is closed");
  };

  return {
    async run(job, input, transfer = []) {
      refuseIfClosing();
      return (await send(pick(), job, input, transfer)) as never;
    },
    async runOnAll(job, input) {
      refuseIfClosing();
      const started = lanes.filter((lane) => lane.isStarted);
      return (await Promise.all(started.map((lane) => send(lane, job, input)))) as never;
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
      for (const lane of lanes) lane.stop();
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
