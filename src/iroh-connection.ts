/**
 * A connection to an endpoint whose identity is known: QUIC has proved it. Whoever holds one holds the addon's object too,
 * which must not be collected while it is used.
 */
import type { Connection } from "@number0/iroh";
import { utf8 } from "./bytes.ts";
import { IrohStream } from "./iroh-stream.ts";

/** How packets travel at the moment. */
export interface IrohPath {
  readonly kind: "direct" | "relay";
  /** Socket address, or URL of the relay. */
  readonly address: string;
  readonly rttMs: number;
}

/** What a connection is closed with. The peer is shown the reason. */
export const IROH_CLOSE = {
  done: { code: 0n, reason: "done" },
  refused: { code: 1n, reason: "not-allowed" },
  busy: { code: 2n, reason: "busy" },
  replaced: { code: 3n, reason: "replaced" },
  silent: { code: 4n, reason: "silent" },
  moved: { code: 5n, reason: "moved" },
} as const;

export class IrohConnection {
  readonly remoteId: string;
  /** Resolves with the reason when it is over, whoever ended it. */
  readonly closed: Promise<string>;

  constructor(
    private readonly connection: Connection,
    /** Whether this side began it. */
    readonly isOurs: boolean,
  ) {
    this.remoteId = connection.remoteId().toString();
    this.closed = connection.closed().catch(irohReason);
  }

  get isOpen(): boolean {
    return this.connection.closeReason() === null;
  }

  /** All that came on the wire so far. An idle peer is heard every 5 s or so. */
  get receivedBytes(): number {
    return this.connection.stats().udpRxBytes;
  }

  /** Whether the peer turned us away. */
  get isRefused(): boolean {
    return this.connection.closeReason()?.includes(IROH_CLOSE.refused.reason) ?? false;
  }

  /** The peer learns of the stream with its first bytes. */
  async openStream(): Promise<IrohStream> {
    return new IrohStream(await this.connection.openBi());
  }

  /** Rejects when the connection is over. */
  async acceptStream(): Promise<IrohStream> {
    return new IrohStream(await this.connection.acceptBi());
  }

  /** How many streams the peer may have open at a time. */
  limitStreams(count: number): void {
    this.connection.setMaxConcurrentBiStreams(BigInt(count));
  }

  path(): IrohPath | undefined {
    const path = this.connection.paths().find(({ isSelected }) => isSelected);
    if (path === undefined) return undefined;
    return { kind: path.isRelay ? "relay" : "direct", address: path.remoteAddr, rttMs: path.rttMs };
  }

  close({ code, reason }: (typeof IROH_CLOSE)[keyof typeof IROH_CLOSE]): void {
    this.connection.close(code, [...utf8(reason)]);
  }
}

/** What went wrong, in one line: the addon's messages go on with places in its source and a backtrace. */
export function irohReason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const lines = message
    .split("\n\nStack backtrace")[0]!
    .split("\n")
    .map((line) => line.replace(/\s*\(\/.*$/, "").trim())
    .filter((line) => line !== "" && line !== "Caused by:");
  return lines.at(-1) ?? "unknown";
}
