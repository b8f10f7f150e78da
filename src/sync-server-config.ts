/**
 * Configuration over the wire: `reqconfig AREA` is answered with `config` cards, `config` cards of an
 * administrator are taken. Users and subscribers are for administrators only, concealed addresses for who
 * may see them. Shun lists travel this way too. Rules: fossil-facts C, D.
 */
import { type ConfigurationRights, findArea, partsOf } from "./repo-config-areas.ts";
import type { ServerExchange } from "./sync-server-exchange.ts";
import { TEXTS } from "./sync-server-texts.ts";
import type { ConfigCard, ReqconfigCard } from "./xfer-card.ts";

export function handleReqconfig(x: ServerExchange, { area: name }: ReqconfigCard): void {
  if (!x.allows("reqconfig") || !name.startsWith("/")) return;
  const area = findArea(name.slice(1));
  if (area === undefined) return;
  for (const { table, content } of x.configuration.rows(partsOf(area, rightsOf(x)))) {
    x.out.card({ type: "config", table, size: content.length, content });
  }
}

export function handleConfig(x: ServerExchange, { table, content }: ConfigCard): void {
  if (!x.allows("config")) {
    x.fail(TEXTS.noConfig);
    return;
  }
  x.forWriting();
  x.configuration.receive({ table, content }, { rights: rightsOf(x) });
}

function rightsOf(x: ServerExchange): ConfigurationRights {
  return { isAdmin: x.capabilities.has("a"), seesAddresses: x.capabilities.has("e") };
}
