/** Hostile clients and leafnodes of either side: the broker neither breaks nor stops serving others. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import { BrokerClient } from "../src/broker-client.ts";
import { LeafSession } from "../src/broker-leafnode.ts";
import { LocalClient } from "../src/broker-local.ts";
import type { BrokerSocket, SocketEvents } from "../src/broker-socket.ts";
import { bunNetwork } from "../src/broker-socket-bun.ts";
import { BrokerState } from "../src/broker-state.ts";
import { text, utf8 } from "../src/bytes.ts";
import { systemClock } from "../src/clock.ts";
import { createLogger } from "../src/log.ts";
import { seededRandom } from "../src/random.ts";

const ADDRESS = { host: "127.0.0.1", port: 1 };
let joined = 0;
const log = createLogger("info", (_level, message) => {
  if (message === "NATS leafnode joined") joined++;
});
const deps = { clock: systemClock, random: seededRandom(9n), network: bunNetwork, log };
const limits = { payloadBytesMax: 1000, pendingBytesMax: 100_000, subscriptionCountMax: 50 };
let state: BrokerState;

beforeAll(() => {
  state = new BrokerState({ name: "n", version: "1", auth: undefined, tls: undefined, limits }, deps);
});
afterAll(() => {
  for (const session of state.sessions.values()) session.terminate();
});

/** A socket that takes `share` bytes of each write. */
class FakeSocket implements BrokerSocket {
  readonly remoteAddress = "127.0.0.1";
  readonly remotePort = 2;
  events: SocketEvents | undefined;
  isOpen = true;

  constructor(private readonly share: number) {}

  write(bytes: Uint8Array): number {
    return Math.min(bytes.length, this.share);
  }

  pause(): void {}

  resume(): void {}

  end(): void {
    this.terminate();
  }

  terminate(): void {
    if (this.isOpen) queueMicrotask(() => this.events?.onClose());
    this.isOpen = false;
  }

  startTls(): Promise<void> {
    return Promise.reject(new Error("no TLS here"));
  }
}

const ROLES: Record<string, (socket: FakeSocket) => SocketEvents> = {
  client: (socket) => new BrokerClient(state, ADDRESS, socket),
  "a leafnode that joined us": (socket) =>
    new LeafSession(state, socket, { kind: "hub-leaf", address: ADDRESS }),
  "a server that we joined": (socket) =>
    new LeafSession(state, socket, {
      kind: "spoke-leaf",
      credentials: {},
      tls: {},
      needsTls: false,
      onEnd() {},
    }),
};

const LINES = [
  'CONNECT {"verbose":false,"headers":true}\r\n',
  'CONNECT {"server_id":"X","name":"x","headers":true}\r\n',
  'INFO {"info_on_connect":true,"server_id":"Y","nonce":"n"}\r\n',
  'INFO {"connect_info":true}\r\n',
  'INFO {"max_payload":-1,"tls_required":"x","leafnode_urls":5}\r\n',
  "SUB a.* 1\r\n",
  "SUB > q 2\r\n",
  "UNSUB 1 1\r\n",
  "PUB a.b 2\r\nhi\r\n",
  "HPUB a.b a.c 12 12\r\nNATS/1.0\r\n\r\n\r\n",
  "LS+ a.*\r\n",
  "LS+ a q 3\r\n",
  "LS- a.*\r\n",
  "LS+ $LDS.x\r\n",
  "LMSG a.b + r q 2\r\nhi\r\n",
  "HMSG a.b 12 12\r\nNATS/1.0\r\n\r\n\r\n",
  "PING\r\n",
  "PONG\r\n",
  "-ERR 'x'\r\n",
];
const piece = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...LINES).map(utf8) },
  { weight: 1, arbitrary: fc.json().map((json) => utf8(`CONNECT ${json}\r\n`)) },
  { weight: 1, arbitrary: fc.json().map((json) => utf8(`INFO ${json}\r\n`)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 30 }) },
);

/** How each begins when it wants to get further than the door. */
const HANDSHAKES: Record<string, string[]> = {
  client: [LINES[0]!],
  "a leafnode that joined us": [LINES[1]!],
  "a server that we joined": [LINES[2]!, LINES[3]!],
};

test.each(Object.keys(ROLES))("%s may send anything", async (role) => {
  const local = new LocalClient(state, {});
  const heard: string[] = [];
  joined = 0;
  local.subscribe("alive", ({ payload }) => void heard.push(text(payload)));
  const property = fc.asyncProperty(
    fc.boolean(),
    fc.array(piece),
    fc.nat(200),
    async (begins, rest, share) => {
      const pieces = begins ? [...HANDSHAKES[role]!.map(utf8), ...rest] : rest;
      const socket = new FakeSocket(share);
      const events = ROLES[role]!(socket);
      socket.events = events;
      for (const bytes of pieces) {
        if (!socket.isOpen) break;
        events.onData(Uint8Array.from(bytes));
        await Promise.resolve();
        if (socket.isOpen) events.onDrain();
      }
      socket.terminate();
      await Promise.resolve();
      local.publish("alive", utf8("yes"));
      await Promise.resolve();
      expect(heard.splice(0)).toEqual(["yes"]);
    },
  );
  await fc.assert(property, { seed: 7, numRuns: 300 });
  local.close();
  if (role !== "client") expect(joined).toBeGreaterThan(100);
  expect(state.sessions.size).toBe(0);
  expect(state.router.trie.stats.subscriptions).toBe(0);
  expect(state.router.listeners.size).toBe(0);
});
