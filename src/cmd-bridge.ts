/** `edgesync bridge`: the peers of a project on NATS, and a Fossil server on the web. */
import { hostname } from "node:os";
import { badValue, command, option, text } from "./cli-command.ts";
import { LOG_ARGS, type Running, runDaemon } from "./cli-daemon.ts";
import { PUBLIC_METRICS } from "./cli-http-limits.ts";
import { openNats } from "./cli-nats.ts";
import { dialer, REMOTE_ARGS } from "./cli-remote.ts";
import { address, duration } from "./cli-values.ts";
import { UsageError } from "./errors.ts";
import { isHash } from "./hash.ts";
import { newPeerId, parsePeerId } from "./peer-id.ts";
import { release } from "./release.ts";
import { parseRemote } from "./sync-remote.ts";

const LISTEN_DEFAULT_PORT = 8081;

export const bridgeCommand = command({
  description: "lets peers on NATS sync with a Fossil server",
  daemon: true,
  args: {
    fossil: option({ description: "the Fossil server", valueHint: "URL", required: true }, text),
    project: option(
      { description: "the project's code: 40 or 64 hex digits", valueHint: "CODE", required: true },
      (value) => (isHash(value) ? value : badValue("a project code, 40 or 64 hex digits", value)),
    ),
    nats: option({ description: "the NATS server", valueHint: "URL", repeat: true }, text),
    peerId: option(
      { description: "by which other peers know the bridge; else chance", valueHint: "NAME" },
      parsePeerId,
    ),
    listen: option(
      { description: "where /healthz, /readyz and /metrics are served", valueHint: "ADDR" },
      address(LISTEN_DEFAULT_PORT),
    ),
    publicMetrics: PUBLIC_METRICS,
    poll: option(
      { description: "look this often at what is new on the server", valueHint: "DURATION", default: "5s" },
      duration,
    ),
    ...REMOTE_ARGS,
    ...LOG_ARGS,
  },
  examples: [
    {
      line: "edgesync bridge --fossil https://example.org/project --project 0123456789abcdef0123456789abcdef01234567 --nats nats://127.0.0.1:4222",
      about: "the code is in edgesync repo info",
    },
  ],
  run: async (args, context) => {
    const { clock, random } = context;
    const { fossil, project, nats, listen, poll: pollMs, prefix } = args;
    if (nats.length === 0)
      throw new UsageError("no-nats", "a bridge needs a NATS server", { hint: "add --nats URL" });
    const remote = parseRemote(fossil);
    if (remote.kind !== "http") {
      throw new UsageError("bad-remote", `--fossil names ${remote.url}, which is no web address`, {
        hint: "expected http[s]://HOST[:PORT][/PATH]",
      });
    }
    const dial = await dialer(remote, args, context);
    return runDaemon(args, context, async (log): Promise<Running> => {
      const { startBridge } = await import("./bridge-service.ts");
      const link = await openNats(nats, args, context, log);
      const service = startBridge(
        {
          link,
          prefix,
          projectCode: project,
          peerId: args.peerId ?? newPeerId(random),
          name: hostname(),
          version: release.version,
          connect: () => dial().transport,
          login: dial().login,
          pollMs,
        },
        listen,
        { clock, random, log },
        args.publicMetrics,
      );
      return {
        addresses: { fossil: remote.address, nats: link.name, http: service.url },
        stop: async () => {
          await service.stop();
          await link.close();
        },
      };
    });
  },
});
