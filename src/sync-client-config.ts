/**
 * The asking side of an exchange of configuration: one area is fetched from a peer (`reqconfig`, answered
 * with `config` cards), sent to it (`config` cards), or both, in a single round. Of two versions of a row the
 * newer stays, on both ends. What comes that was not asked for has no effect. Rules: fossil-facts B, C.
 */
import type { Repo } from "./repo.ts";
import { type ConfigArea, partsOf } from "./repo-config-areas.ts";
import { ConfigExchange } from "./repo-config-exchange.ts";
import type { ClientOptions } from "./sync-client.ts";
import { DataClient } from "./sync-client-data.ts";
import type { Card } from "./xfer-card.ts";
import type { MessageWriter } from "./xfer-format.ts";

export interface ConfigGoals {
  readonly area: ConfigArea;
  readonly pull: boolean;
  readonly push: boolean;
}

export class ConfigClient extends DataClient {
  /** Rows received that were newer than what was here, or new. */
  rowsChanged = 0;
  private readonly exchange: ConfigExchange;

  constructor(
    repo: Repo,
    private readonly goals: ConfigGoals,
    options: ClientOptions,
  ) {
    super(repo, options);
    this.exchange = new ConfigExchange(repo);
  }

  get wantedCount(): number {
    return 0;
  }

  protected ask(out: MessageWriter): void {
    const { area, pull, push } = this.goals;
    if (pull) out.card({ type: "reqconfig", area: `/${area}` });
    if (!push) return;
    for (const { table, content } of this.exchange.rows(partsOf(area))) {
      out.card({ type: "config", table, size: content.length, content });
      this.totals.artifactsSent++;
    }
  }

  protected take(card: Card): void {
    const { area, pull } = this.goals;
    if (card.type !== "config" || !pull) return;
    this.totals.artifactsReceived++;
    if (this.exchange.receive(card, { parts: partsOf(area) })) this.rowsChanged++;
  }

  protected override settle(): void {
    this.exchange.finish();
  }

  protected goesOn(): boolean {
    return false;
  }
}
