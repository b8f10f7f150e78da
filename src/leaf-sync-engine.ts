/**
 * A sync engine whose other half is a session in the thread that writes to the repository
 * (`leaf-sync-jobs.ts`): what `runSync` asks for is answered from there.
 */
import { reviveError } from "./errors.ts";
import type { Executor } from "./executor.ts";
import type { AnsweredInput, SessionInput, SessionStep, SyncJobs } from "./leaf-sync-jobs.ts";
import type { ClientRequest } from "./sync-request.ts";
import type { SyncEngine } from "./sync-session.ts";
import { type SyncTotals, zeroTotals } from "./sync-totals.ts";

let lastId = 0;

type Input = Omit<SessionInput, "id">;
type Drafted = Omit<AnsweredInput, "id" | "reply">;

const NO_BYTES = new Uint8Array(0);

/** Before anything was exchanged. */
const NOTHING: SessionStep = {
  message: undefined,
  cookie: undefined,
  totals: zeroTotals(),
  wantedCount: 0,
  refused: [],
  messages: [],
  skewMs: 0,
};

export class WriterEngine implements SyncEngine {
  private constructor(
    private readonly writer: Executor<SyncJobs>,
    private readonly id: number,
    private step: SessionStep,
    /** Set until the session has begun. */
    private drafted?: Drafted,
  ) {}

  /** Begins a session. @throws RepoError when the repository cannot be opened */
  static async begin(writer: Executor<SyncJobs>, input: Input): Promise<WriterEngine> {
    const id = ++lastId;
    return new WriterEngine(writer, id, await writer.run("syncBegin", { ...input, id }));
  }

  /**
   * A session of artifacts whose first message is made already: it begins when the answer is there, which saves the
   * way to the thread and back before.
   */
  static drafted(writer: Executor<SyncJobs>, input: Input, { message }: ClientRequest): WriterEngine {
    return new WriterEngine(writer, ++lastId, { ...NOTHING, message }, { ...input, isUnasked: false });
  }

  /** A session of artifacts whose first reply is there before it begins: the first message is empty, and for nobody. */
  static unasked(writer: Executor<SyncJobs>, input: Input): WriterEngine {
    return new WriterEngine(
      writer,
      ++lastId,
      { ...NOTHING, message: NO_BYTES },
      { ...input, isUnasked: true },
    );
  }

  get isDone(): boolean {
    return this.step.message === undefined && this.step.error === undefined;
  }

  get totals(): SyncTotals {
    return this.step.totals;
  }

  get wantedCount(): number {
    return this.step.wantedCount;
  }

  /** What the session had to tell beside the totals: empty before its end. */
  get said(): Pick<SessionStep, "refused" | "messages" | "skewMs"> {
    return this.step;
  }

  /** @throws what hindered the session from making a message */
  request(): ClientRequest {
    const { message, cookie, error } = this.step;
    if (error !== undefined) throw reviveError(error);
    if (message === undefined) throw new Error("the session is over");
    return { message, cookie };
  }

  /** @throws what `absorb` of the engine throws */
  async absorb(message: Uint8Array): Promise<void> {
    // A buffer that the transport may share is copied, one that holds nothing else moves.
    const isWhole = message.length === message.buffer.byteLength && message.buffer instanceof ArrayBuffer;
    const reply = isWhole ? message : new Uint8Array(message);
    this.step = await this.take(reply, [reply.buffer as ArrayBuffer]);
    if (this.step.error !== undefined) throw reviveError(this.step.error);
  }

  private take(reply: Uint8Array, transfer: readonly ArrayBuffer[]): Promise<SessionStep> {
    const { writer, id, drafted } = this;
    if (drafted === undefined) return writer.run("syncStep", { id, reply }, transfer);
    this.drafted = undefined;
    return writer.run("syncBeginAnswered", { ...drafted, id, reply }, transfer);
  }

  /** Lets the session go, however far it has come. */
  async end(): Promise<void> {
    if (this.step.message !== undefined && this.drafted === undefined)
      await this.writer.run("syncEnd", { id: this.id });
  }
}
