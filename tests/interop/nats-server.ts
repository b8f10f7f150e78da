/** Real `nats-server` processes and raw NATS connections for tests. */
import { existsSync, readFileSync } from "node:fs";
import { connect as openSocket } from "node:net";
import { atEnd } from "../at-end.ts";
import { TempDir } from "../temp-dir.ts";

const READY_MS_MAX = 15_000;
const STEP_MS = 10;

export interface NatsServer {
  readonly port: number;
  readonly leafPort: number | undefined;
  readonly monitorPort: number | undefined;
  readonly pid: number;
  readonly log: () => string;
  /** Gives it another configuration, with the same listeners, while it runs. */
  reload(config: string): Promise<void>;
  stop(): Promise<void>;
}

/** Waits until `condition` holds. @throws Error after a generous time */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let waited = 0; waited < READY_MS_MAX; waited += STEP_MS) {
    if (await condition()) return;
    await Bun.sleep(STEP_MS);
  }
  throw new Error(`waited in vain: ${what}`);
}

/**
 * Starts nats-server on free ports of the loopback, or on `port`. `config` is the text of its configuration file, without listeners of
 * clients. A leafnode listener asked for with port -1 gets a free port, too.
 *
 * @throws Error when there is no nats-server: a suite without its oracle must not pass
 */
export async function startNatsServer(config = "", port = -1): Promise<NatsServer> {
  const folder = new TempDir("nats");
  const file = folder.write("nats.conf", `listen: "127.0.0.1:${port}"\n${config}\n`);
  const log = folder.join("nats.log");
  const process = Bun.spawn(["nats-server", "-c", file, "--ports_file_dir", folder.path, "-l", log, "-D"], {
    stdout: "ignore",
    stderr: "ignore",
  });
  atEnd(() => process.kill("SIGKILL"));
  const portsFile = folder.join(`nats-server_${process.pid}.ports`);
  await until(
    () => existsSync(portsFile) && readFileSync(portsFile, "utf8").endsWith("}"),
    "nats-server's ports",
  );
  const ports: Record<string, string[] | undefined> = JSON.parse(readFileSync(portsFile, "utf8"));
  const portOf = (name: string): number | undefined => {
    const url = ports[name]?.[0];
    return url === undefined ? undefined : Number(new URL(url).port);
  };
  const logText = () => readFileSync(log, "utf8");
  const leaf = /Listening for leafnode connections on 127\.0\.0\.1:(\d+)/.exec(logText())?.[1];
  return {
    port: portOf("nats")!,
    leafPort: leaf === undefined ? undefined : Number(leaf),
    monitorPort: portOf("monitoring"),
    pid: process.pid,
    log: logText,
    async reload(changed) {
      const reloads = () => logText().match(/Reloaded server configuration|Failed to reload/g)?.length ?? 0;
      const before = reloads();
      folder.write("nats.conf", `listen: "127.0.0.1:${port}"\n${changed}\n`);
      process.kill("SIGHUP");
      await until(() => reloads() > before, "the new configuration");
    },
    async stop() {
      process.kill("SIGKILL");
      await process.exited;
      folder.remove();
    },
  };
}

/**
 * Sends `script` as one connection and returns all that came until the server closed or answered every PING in it. The
 * INFO line is left out; "<closed>" stands at the end when the server closed.
 */
export function transcript(port: number, script: string): Promise<string> {
  const pings = script.match(/^ping/gim)?.length ?? 0;
  return new Promise((resolve, reject) => {
    let heard = "";
    const socket = openSocket(port, "127.0.0.1", () => socket.write(script, "latin1"));
    const done = (end: string) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(heard.replace(/^INFO .*\r\n/, "") + end);
    };
    const timer = setTimeout(() => reject(new Error(`no end after ${JSON.stringify(heard)}`)), READY_MS_MAX);
    socket.on("data", (chunk) => {
      heard += chunk.toString("latin1");
      if (pings > 0 && (heard.match(/^PONG\r$/gm)?.length ?? 0) >= pings) done("");
    });
    // A server that closes with bytes unread resets the connection.
    socket.on("error", () => {});
    socket.on("close", () => done("<closed>"));
  });
}
