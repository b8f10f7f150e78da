/**
 * One side of a measurement of brokers, in a process of its own: it does what it is told over the pipe to its parent,
 * one thing after the other, and answers each with `{ready}` or `{done}`. Nothing in it depends on which broker it
 * talks to. Raw sides write blocks of PUB lines made beforehand, and count the bytes that come.
 */
import type { Socket } from "bun";
import { connect, type NatsConnection } from "nats";

export type Order =
  /** Subscribe on `fan` connections; `done` when each got `bytes`. */
  | { readonly do: "count"; readonly port: number; readonly fan: number; readonly bytes: number }
  /** Connect and make the block; `ready`. At `go` write it. */
  | { readonly do: "block"; readonly port: number; readonly size: number; readonly count: number }
  | { readonly do: "go" }
  /** The same with the client library. */
  | { readonly do: "client-count"; readonly port: number; readonly count: number }
  | { readonly do: "client-block"; readonly port: number; readonly size: number; readonly count: number }
  /** Answer requests on "ask". */
  | { readonly do: "answer"; readonly port: number }
  /** Ask `count` times, one by one; `done` with the times of each in microseconds. */
  | { readonly do: "ask"; readonly port: number; readonly count: number }
  /** Open `count` connections with a subscription each, and leave them idle. */
  | { readonly do: "idle"; readonly port: number; readonly count: number }
  /** Close everything. */
  | { readonly do: "rest" };

export type Answer = { readonly say: "ready" | "done"; readonly samples?: readonly number[] };

/** What a subscriber gets for each message on "bench". */
export const messageBytes = (size: number): number => `MSG bench 1 ${size}\r\n`.length + size + 2;

const sockets: Socket<undefined>[] = [];
const clients: NatsConnection[] = [];
let go: () => void | Promise<void> = () => {};

const say = (answer: Answer): void => {
  process.send!(answer);
};

/** A raw connection that is through its handshake. `onData` gets what comes after it. */
function open(port: number, subscribe: string, onData: (chunk: Uint8Array) => void, onDrain = () => {}) {
  return new Promise<Socket<undefined>>((resolve, reject) => {
    let greeted = false;
    let heard = "";
    Bun.connect<undefined>({
      hostname: "127.0.0.1",
      port,
      socket: {
        data(socket, chunk) {
          if (greeted) return onData(chunk);
          heard += chunk.toString("latin1");
          if (heard.startsWith("INFO") && !heard.includes("PONG")) {
            heard = "";
            socket.write(`CONNECT {"verbose":false,"pedantic":false}\r\n${subscribe}PING\r\n`);
          } else if (heard.endsWith("PONG\r\n")) {
            greeted = true;
            resolve(socket);
          }
        },
        drain: onDrain,
        error: (_, error) => reject(error),
      },
    }).catch(reject);
  });
}

async function count({ port, fan, bytes }: Order & { do: "count" }): Promise<void> {
  let missing = fan;
  const one = async () => {
    let have = 0;
    const socket = await open(port, "SUB bench 1\r\n", (chunk) => {
      // A server may put a PING between.
      if (have < bytes && have + chunk.length >= bytes && --missing === 0) say({ say: "done" });
      have += chunk.length;
    });
    sockets.push(socket);
  };
  await Promise.all(Array.from({ length: fan }, one));
  say({ say: "ready" });
}

async function block({ port, size, count }: Order & { do: "block" }): Promise<void> {
  const bytes = Buffer.from(`PUB bench ${size}\r\n${"x".repeat(size)}\r\n`.repeat(count), "latin1");
  let at = 0;
  const write = () => {
    if (at < bytes.length) at += Math.max(0, socket.write(bytes.subarray(at)));
  };
  const socket = await open(
    port,
    "",
    () => {},
    () => write(),
  );
  sockets.push(socket);
  go = write;
  say({ say: "ready" });
}

async function client(port: number): Promise<NatsConnection> {
  const connection = await connect({ servers: `127.0.0.1:${port}` });
  clients.push(connection);
  return connection;
}

const PERFORM: { readonly [D in Order["do"]]: (order: Order & { do: D }) => Promise<void> | void } = {
  count,
  block,
  go: () => go(),
  async "client-count"({ port, count }) {
    let missing = count;
    const connection = await client(port);
    connection.subscribe("bench", {
      callback: () => {
        if (--missing === 0) say({ say: "done" });
      },
    });
    await connection.flush();
    say({ say: "ready" });
  },
  async "client-block"({ port, size, count }) {
    const connection = await client(port);
    const payload = new Uint8Array(size);
    go = async () => {
      for (let i = 0; i < count; i++) connection.publish("bench", payload);
      await connection.flush();
    };
    say({ say: "ready" });
  },
  async answer({ port }) {
    const connection = await client(port);
    connection.subscribe("ask", { callback: (_error, message) => void message.respond(message.data) });
    await connection.flush();
    say({ say: "ready" });
  },
  async ask({ port, count }) {
    const connection = await client(port);
    const samples: number[] = [];
    for (let i = 0; i < count; i++) {
      const started = performance.now();
      await connection.request("ask", "x", { timeout: 5000 });
      samples.push((performance.now() - started) * 1000);
    }
    say({ say: "done", samples });
  },
  async idle({ port, count }) {
    for (let i = 0; i < count; i++) sockets.push(await open(port, `SUB idle.${i} 1\r\n`, () => {}));
    say({ say: "done" });
  },
  async rest() {
    for (const socket of sockets.splice(0)) socket.terminate();
    await Promise.all(clients.splice(0).map((connection) => connection.close()));
    say({ say: "done" });
  },
};

if (import.meta.main) {
  process.on("message", (order: Order) => void (PERFORM[order.do] as (order: Order) => void)(order));
  process.on("disconnect", () => process.exit(0));
}
