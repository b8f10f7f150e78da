/**
 * Configuration over the wire: `reqconfig AREA` is answered with `config` cards, `config` cards of an
 * administrator are taken. Users and subscribers are for administrators only, concealed addresses for who
 * may see them. Shun lists travel this way too. Rules: fossil-facts C, D.
 */
import type { ServerExchange } from "./sync-server-exchange.ts";
import { TEXTS } from "./sync-server-texts.ts";
import type { ConfigCard, ReqconfigCard } from "./xfer-card.ts";

export function handleReqconfig(x: ServerExchange, { area }: ReqconfigCard): void {
  if (x.configuration === undefined || !x.allows("reqconfig") || !area.startsWith("/")) return;
  for (const { table, content } of x.configuration.rows(area, rightsOf(x))) {
    x.out.card({ type: "config", table, size: content.length, content });
  }
}

export function handleConfig(x: ServerExchange, { table, content }: ConfigCard): void {
  if (!x.allows("config")) {
    x.fail(TEXTS.noConfig);
    return;
  }
  if (x.configuration === undefined) return;
  x.forWriting();
  x.configuration.receive({ table, content }, rightsOf(x));
  x.hasReceivedConfiguration = true;
}

function rightsOf(x: ServerExchange) {
  return { isAdmin: x.capabilities.has("a"), seesAddresses: x.capabilities.has("e") };
}
