/**
 * One exchange under way: what the request has established so far and the reply as far as it is written.
 * Handlers (`sync-server-cards.ts` and its neighbours) read and change it card by card.
 *
 * An exchange runs on a repository opened for reading until something has to be written; `forWriting`
 * then throws `WriteNeeded`, nothing has happened, and the same request is to be served again on a
 * connection that may write.
 */
import { EdgeSyncError, RepoError } from "./errors.ts";
import { algorithmOf, type Hash } from "./hash.ts";
import { DOWNLOAD_BUDGET_BYTES, DOWNLOAD_BUDGET_MS } from "./limits.ts";
import type { Repo } from "./repo.ts";
import { Capabilities } from "./repo-capability.ts";
import { ConfigExchange } from "./repo-config-exchange.ts";
import type { Content, Rid } from "./repo-content.ts";
import { ReceiveBatch } from "./repo-receive.ts";
import { Unversioned } from "./repo-unversioned.ts";
import { isAllowed } from "./sync-server-rights.ts";
import { type PeerVersion, UNKNOWN_VERSION } from "./sync-version.ts";
import type { CardType } from "./xfer-card.ts";
import { type MessageSink, MessageWriter } from "./xfer-format.ts";

/** The request cannot be answered without writing, and the repository was opened for reading. */
export class WriteNeeded extends EdgeSyncError {
  override name = "WriteNeeded";

  constructor() {
    super("write-needed", "this request changes the repository and was given a connection for reading");
  }
}

/** Ends an exchange with nothing but an error card; whatever it has changed is undone. */
export class ExchangeRefused extends EdgeSyncError {
  override name = "ExchangeRefused";

  /** @param hasTrailer whether the reply ends with the time all the same; not all of stock's do */
  constructor(
    code: string,
    text: string,
    readonly hasTrailer = true,
  ) {
    super(code, text);
  }
}

/** Who asks, until and unless a login says otherwise. */
const STRANGER = "anonymous";

export interface ExchangeSettings {
  /** Where a reply that travels raw goes while it is written; what `finish` returns is then the rest. */
  readonly sink?: MessageSink | undefined;
  /** The reply travels raw, whatever the request did. */
  readonly isRaw?: boolean | undefined;
  /** Bounds the budget that the repository's settings give a reply. */
  readonly budgetMaxBytes?: number | undefined;
  /** Nobody here may write: what a reader can do without is left out, and what needs a writer is refused. */
  readonly isReadOnly?: boolean | undefined;
}

export class ServerExchange {
  readonly out = new MessageWriter();
  private readonly sink: MessageSink | undefined;
  readonly isReadOnly: boolean;
  readonly content: Content;
  readonly unversioned: Unversioned;
  readonly configuration: ConfigExchange;

  capabilities: Capabilities;
  /** Login as verified. */
  user: string | undefined;
  loginCount = 0;
  nonce: string | undefined;
  remote: PeerVersion = UNKNOWN_VERSION;

  isPull = false;
  isPush = false;
  /** The oldest form of clone: a pull that starts with nothing. */
  isOldClone = false;
  /** The reply is to travel uncompressed whatever the request did. */
  isRawReply = false;
  wantsPrivate = false;
  wantsCatalog = false;
  wantsOffers = true;
  nextIsPrivate = false;
  isCatalogOfFilesSent = false;

  /** Nothing after the card in hand is looked at. */
  isStopped = false;
  errorCount = 0;
  gimmeCount = 0;
  artifactsReceived = 0;
  artifactsSent = 0;
  /** Where the clone goes on, once a page is written; 0 at its end. */
  nextPage: number | undefined;
  /** Types of the cards that were acted upon. */
  readonly seen = new Set<string>();

  /** Artifacts the peer has or is being sent. */
  readonly onRemote = new Set<Rid>();
  /** Artifacts the peer has asked for, so lacks. */
  readonly lackedByRemote = new Set<Hash>();

  /** A reply that has this many bytes gets nothing more that a later one may bring. */
  readonly budgetBytes: number;
  private readonly deadlineMs: number;
  private batch: ReceiveBatch | undefined;

  constructor(
    readonly repo: Repo,
    /** Where the request came from; recorded with what is received. */
    readonly address: string,
    {
      sink,
      isRaw = false,
      budgetMaxBytes = Number.POSITIVE_INFINITY,
      isReadOnly = false,
    }: ExchangeSettings = {},
  ) {
    this.sink = sink;
    this.isReadOnly = isReadOnly;
    this.content = repo.content;
    this.unversioned = new Unversioned(repo);
    this.configuration = new ConfigExchange(repo);
    this.capabilities = withCloneAsRead(Capabilities.of(repo.users, STRANGER));
    const { config, clock } = repo;
    this.budgetBytes = Math.min(config.integer("max-download", DOWNLOAD_BUDGET_BYTES), budgetMaxBytes);
    const budgetMs = config.integer("max-download-time", DOWNLOAD_BUDGET_MS / 1000) * 1000;
    this.deadlineMs = clock.monotonic() + Math.max(1000, budgetMs);
    if (isRaw) this.replyRaw();
  }

  allows(card: CardType): boolean {
    return isAllowed(card, this);
  }

  /** The reply is to travel uncompressed whatever the request did. */
  replyRaw(): void {
    this.isRawReply = true;
    if (this.sink !== undefined) this.out.passTo(this.sink);
  }

  /** Whether the reply has used up its bytes or its time. */
  get isOverBudget(): boolean {
    return this.out.byteLength >= this.budgetBytes || this.isOutOfTime;
  }

  get isOutOfTime(): boolean {
    return this.repo.clock.monotonic() >= this.deadlineMs;
  }

  /** Shunned, or refused by the hash policy. */
  isShunned(hash: Hash): boolean {
    if (this.content.isShunned(hash)) return true;
    return algorithmOf(hash) === "sha1" && this.repo.config.hashPolicy() === "shun-sha1";
  }

  /** Replaces the reply so far by an error card. */
  refuse(text: string): void {
    this.out.clear();
    this.out.card({ type: "error", text });
    this.errorCount++;
  }

  /** Replaces the reply so far by an error card and looks at nothing more. */
  fail(text: string): void {
    this.refuse(text);
    this.isStopped = true;
  }

  /** @throws WriteNeeded unless the repository may be written; RepoError `repo-read-only` */
  forWriting(): Repo {
    if (this.isReadOnly) throw readOnly(this.repo.path);
    if (this.repo.db.mode === "read") throw new WriteNeeded();
    return this.repo;
  }

  /** Where received artifacts go. @throws WriteNeeded */
  receiver(): ReceiveBatch {
    const { user, nonce, address: ipaddr } = this;
    this.batch ??= new ReceiveBatch(this.forWriting(), {
      onWrong: "throw",
      ipaddr,
      ...(user !== undefined && { user }),
      ...(nonce !== undefined && { nonce }),
    });
    return this.batch;
  }

  /** Completes what was received, if anything was. */
  finishReceiving(): void {
    this.batch?.finish();
    this.configuration.finish();
  }
}

function readOnly(path: string): RepoError {
  return new RepoError("repo-read-only", `${path} cannot be written`);
}

/** Whoever may clone may read, stock holds, but only of those who have not logged in. */
function withCloneAsRead(capabilities: Capabilities): Capabilities {
  return capabilities.has("g") ? Capabilities.from(`${capabilities}o`) : capabilities;
}
