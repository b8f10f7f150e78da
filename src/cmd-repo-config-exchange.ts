/** `edgesync repo config pull|push|sync`: areas of the configuration, exchanged with a peer. */
import {
  type Arg,
  type Args,
  badValue,
  command,
  type Example,
  type Parser,
  type Values,
} from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { DATA_EXCHANGE_ARGS, exchangeData, remoteArg } from "./cli-data-exchange.ts";
import { columns } from "./cli-output.ts";
import { CONFIG_AREAS, type ConfigArea } from "./repo-config-areas.ts";
import { ConfigClient } from "./sync-client-config.ts";

const area: Parser<ConfigArea> = (value) =>
  CONFIG_AREAS.find((candidate) => candidate === value) ??
  badValue(`one of ${CONFIG_AREAS.join(", ")}`, value);

const areaArg: Arg<ConfigArea> = {
  type: "positional",
  description: `what: ${CONFIG_AREAS.join(", ")}`,
  required: true,
  parse: area,
};

const ARGS = { area: areaArg, remote: remoteArg, ...DATA_EXCHANGE_ARGS } satisfies Args;

type Direction = "pull" | "push" | "sync";

export const pullCommand = exchanging("pull", "fetches an area of a peer's configuration", {
  line: "edgesync repo config pull skin https://example.org/project",
  about: "how its pages look",
});

export const pushCommand = exchanging("push", "sends an area of the configuration to a peer", {
  line: "edgesync repo config push ticket",
  about: "to the remembered remote; needs the capability a there",
});

export const syncCommand = exchanging("sync", "exchanges an area of the configuration with a peer", {
  line: "edgesync repo config sync shun",
  about: "each end gets the newer version of every row",
});

function exchanging(direction: Direction, description: string, example: Example) {
  return command({
    description,
    args: ARGS,
    examples: [example],
    run: (args, context) => run(direction, args, context),
  });
}

async function run(direction: Direction, args: Values<typeof ARGS>, context: CliContext): Promise<undefined> {
  const goals = {
    area: args.area,
    pull: direction !== "push",
    push: direction !== "pull",
  };
  const { client, totals, remote } = await exchangeData(
    args,
    context,
    (repo, options) => new ConfigClient(repo, goals, options),
  );
  const { artifactsSent: sent, artifactsReceived: received } = totals;
  const { rowsChanged: changed } = client;
  context.out.result({ remote, area: goals.area, sent, received, changed }, () =>
    columns([
      ["remote", remote],
      ["sent", `${sent} rows`],
      ["received", `${received} rows, ${changed} of them newer than here`],
    ]),
  );
}
