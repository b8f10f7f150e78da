/**
 * What takes several connections, or a server set up for it: each scenario is played against nats-server and against
 * our broker, and must come out the same. Beside it `broker.test.ts`, whose scripts are one connection each.
 */
import { expect, test } from "bun:test";
import { connect as openSocket, type Socket } from "node:net";
import { type ConnectionOptions, connect, nkeyAuthenticator, nkeys } from "nats";
import type { BrokerOptions } from "../../src/broker.ts";
import { LOOPBACK, testBroker } from "../broker-harness.ts";
import { startNatsServer, transcript, until } from "./nats-server.ts";

interface Server {
  readonly port: number;
  readonly monitorPort: number | undefined;
  /** Lets in these users alone, and nkeys. */
  allow(
    users: readonly { readonly user: string; readonly password: string }[],
    nkeys?: readonly string[],
  ): unknown;
}

/** A raw connection. `heard` is what came after INFO, without a server's own pings. */
class Raw {
  private text = "";
  closed = false;

  private constructor(private readonly socket: Socket) {
    socket.on("data", (chunk) => {
      this.text += chunk.toString("latin1");
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.closed = true;
    });
  }

  static async open(server: Server, ...lines: string[]): Promise<Raw> {
    const raw = new Raw(openSocket(server.port, "127.0.0.1"));
    const own = lines[0]?.startsWith('CONNECT {"verbose"') ? [] : [CONNECT];
    await raw.say(...own, ...lines);
    return raw;
  }

  get heard(): string {
    return this.text.replace(/^(INFO .*|PING|PONG)\r\n/gm, "");
  }

  /** Sends lines, and waits until the server has taken them. */
  async say(...lines: string[]): Promise<void> {
    const pongs = () => this.text.match(/^PONG\r$/gm)?.length ?? 0;
    const before = pongs();
    this.send([...lines, "PING", ""].join("\r\n"));
    await until(() => pongs() > before || this.closed, `an answer to ${lines.join("|").slice(0, 100)}`);
  }

  send(bytes: string): void {
    this.socket.write(bytes, "latin1");
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  close(): void {
    this.socket.destroy();
  }
}

async function enters(server: Server, options: ConnectionOptions): Promise<string> {
  return connect({ servers: `127.0.0.1:${server.port}`, reconnect: false, timeout: 5000, ...options }).then(
    async (connection) => {
      await connection.flush();
      await connection.close();
      return "in";
    },
    (error) => (/authorization/i.test(String(error)) ? "refused" : String(error)),
  );
}

const CONNECT = 'CONNECT {"verbose":false,"headers":true,"no_responders":true}';
const user = nkeys.createUser();
const [known, stranger] = [user, nkeys.createUser()].map((pair) => nkeyAuthenticator(pair.getSeed()));
const PATTERNS = ["a", "a.b", "a.*", "*.b", "a.>", ">", "*.*.c", "a.*.c", "*"];
const SUBJECTS = ["a", "b", "a.b", "b.b", "a.b.c", "x.y.c", "a.b.c.d"];

interface Scenario {
  readonly config?: string;
  readonly broker?: Partial<BrokerOptions>;
  play(server: Server): Promise<unknown>;
}

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  "a token": {
    config: "authorization {\n token: secret\n}",
    broker: { auth: { tokens: ["secret"] } },
    async play(server) {
      const scripts = ['"auth_token":"secret"', '"auth_token":"secre"', '"user":"secret"', ""];
      const raw = scripts.map((fields) => transcript(server.port, `CONNECT {${fields}}\r\nPING\r\n`));
      return [
        await Promise.all(raw),
        await enters(server, { token: "secret" }),
        await enters(server, { token: "x" }),
      ];
    },
  },
  "users and nkeys": {
    config: `authorization {\n users: [{user: a, password: p}, {user: b, password: q}, {nkey: ${user.getPublicKey()}}]\n}`,
    broker: {
      auth: {
        users: [
          { user: "a", password: "p" },
          { user: "b", password: "q" },
        ],
        nkeys: [user.getPublicKey()],
      },
    },
    play: (server) =>
      Promise.all(
        [
          { user: "a", pass: "p" },
          { user: "a", pass: "q" },
          { user: "b", pass: "q" },
          { user: "c", pass: "p" },
          { authenticator: known! },
          { authenticator: stranger! },
          {},
        ].map((options) => enters(server, options)),
      ),
  },
  "who may enter changes while the server runs": {
    config: "authorization {\n users: [{user: a, password: p}, {user: b, password: q}]\n}",
    broker: {
      auth: {
        users: [
          { user: "a", password: "p" },
          { user: "b", password: "q" },
        ],
      },
    },
    async play(server) {
      const enter = (who: string, pass: string) =>
        Raw.open(server, `CONNECT {"verbose":false,"user":"${who}","pass":"${pass}"}`);
      const raws = await Promise.all([enter("a", "p"), enter("a", "p"), enter("b", "q")]);
      await server.allow([{ user: "b", password: "q" }], [user.getPublicKey()]);
      await until(() => raws[0]!.closed && raws[1]!.closed, "those who may not be there any more to go");
      await raws[2]!.say();
      const signed = { authenticator: known! };
      const seen = [
        raws.map((raw) => [raw.closed, raw.heard]),
        await enters(server, { user: "a", pass: "p" }),
      ];
      seen.push(await enters(server, { user: "b", pass: "q" }), await enters(server, signed));
      await server.allow([{ user: "b", password: "other" }]);
      await until(() => raws[2]!.closed, "whose password has changed to go");
      return [...seen, await enters(server, { user: "b", pass: "other" }), await enters(server, signed)];
    },
  },
  "every pattern with every subject": {
    async play(server) {
      const listener = await Raw.open(server, ...PATTERNS.map((pattern, i) => `SUB ${pattern} ${i}`));
      const speaker = await Raw.open(server, ...SUBJECTS.map((subject) => `PUB ${subject} 0\r\n`));
      await listener.say();
      [listener, speaker].map((one) => one.close());
      return listener.heard.split("\r\n").sort();
    },
  },
  "a queue group on three connections, beside a listener": {
    async play(server) {
      const members = await Promise.all([1, 2, 3].map(() => Raw.open(server, "SUB work q 1")));
      const listener = await Raw.open(server, "SUB w* q 1", "SUB > 2");
      const speaker = await Raw.open(
        server,
        ...Array.from({ length: 90 }, (_, i) => `PUB work 1\r\n${i % 10}`),
      );
      const count = (raw: Raw) => raw.heard.match(/MSG work 1 /g)?.length ?? 0;
      for (const raw of [...members, listener]) await raw.say();
      const shares = members.map(count);
      await members[0]!.say("UNSUB 1");
      await speaker.say(...Array.from({ length: 20 }, () => "PUB work 1\r\nx"));
      for (const raw of members) await raw.say();
      const after = members.map(count);
      const total = (counts: number[]) => counts.reduce((sum, one) => sum + one, 0);
      for (const raw of [...members, listener, speaker]) raw.close();
      return {
        total: total(shares),
        everyOne: Math.min(...shares) > 5,
        left: after[0] === shares[0],
        totalAfter: total(after),
        other: listener.heard.match(/MSG work 2 /g)?.length,
      };
    },
  },
  "a limit of messages, counted by the server": {
    async play(server) {
      const listener = await Raw.open(server, "SUB a 1", "UNSUB 1 3", "SUB a 2", "SUB b 3");
      const speaker = await Raw.open(server, ...Array.from({ length: 5 }, (_, i) => `PUB a 1\r\n${i}`));
      await listener.say("UNSUB 2", "UNSUB 3 1");
      await speaker.say("PUB a 1\r\nx", "PUB b 1\r\ny", "PUB b 1\r\nz");
      await listener.say();
      [listener, speaker].map((one) => one.close());
      // Which of two subscriptions comes first is not defined.
      return listener.heard.split("MSG ").sort();
    },
  },
  "a request, an answer, and nobody left to answer": {
    async play(server) {
      const asker = await Raw.open(server, "SUB _INBOX.x.* 1");
      const answerer = await Raw.open(server, "SUB ask 1");
      await asker.say("PUB ask _INBOX.x.1 2\r\nhi");
      await answerer.say("PUB _INBOX.x.1 3\r\nyes");
      await asker.say();
      answerer.close();
      await until(async () => {
        await asker.say("PUB ask _INBOX.x.2 0\r\n");
        return asker.heard.includes("503");
      }, "no responders");
      asker.close();
      return [answerer.heard, asker.heard.slice(0, asker.heard.indexOf("503") + 3)];
    },
  },
  "headers, to one who knows them and one who does not": {
    async play(server) {
      const one = await Raw.open(server, "SUB a 1");
      const both = '"headers":false,"no_responders":false';
      const other = await Raw.open(server, `CONNECT {${both}}`, "SUB a 1");
      const refused = await Raw.open(server, 'CONNECT {"headers":false}');
      const speaker = await Raw.open(
        server,
        "HPUB a r.x 20 22\r\nNATS/1.0\r\nKey: v\r\n\r\nhi",
        "HPUB a 12 12\r\nNATS/1.0\r\n\r\n",
      );
      await Promise.all([one.say(), other.say()]);
      for (const raw of [one, other, speaker, refused]) raw.close();
      return [one.heard, other.heard, refused.heard];
    },
  },
  "a payload past the server's limit": {
    config: "max_payload: 1000",
    broker: { limits: { payloadBytesMax: 1000 } },
    async play({ port }) {
      const body = "x".repeat(1000);
      const info = new Promise<unknown>((resolve) => {
        const socket = openSocket(port, "127.0.0.1");
        socket.once("data", (chunk) => {
          resolve(JSON.parse(chunk.toString().slice(5)).max_payload);
          socket.destroy();
        });
      });
      const at = await transcript(
        port,
        `CONNECT {"verbose":false}\r\nSUB a 1\r\nPUB a 1000\r\n${body}\r\nPING\r\n`,
      );
      return [
        await info,
        at,
        await transcript(port, `CONNECT {"verbose":false}\r\nPUB a 1001\r\n${body}x\r\n`),
      ];
    },
  },
  "more subscriptions than the server allows": {
    config: "max_subscriptions: 2",
    broker: { limits: { subscriptionCountMax: 2 } },
    play: ({ port }) =>
      transcript(
        port,
        'CONNECT {"verbose":false}\r\nSUB a 1\r\nSUB b 2\r\nSUB c 3\r\nUNSUB 1\r\nSUB c 3\r\nPUB c 1\r\nx\r\nPING\r\n',
      ),
  },
  "a reader that is too slow": {
    config: 'max_pending: 1048576\nhttp: "127.0.0.1:-1"\nwrite_deadline: "30s"',
    broker: { limits: { pendingBytesMax: 1_048_576 }, monitor: LOOPBACK },
    async play(server) {
      const slow = await Raw.open(server, "SUB flood 1");
      const fast = await Raw.open(server, "SUB flood.end 1");
      const speaker = await Raw.open(server);
      slow.pause();
      const slowConsumers = async () => {
        const page = await fetch(`http://127.0.0.1:${server.monitorPort}/varz`);
        return ((await page.json()) as { slow_consumers: number }).slow_consumers;
      };
      const block = `PUB flood 100000\r\n${"x".repeat(100_000)}`;
      await until(async () => {
        await speaker.say(block, block, block, block);
        return (await slowConsumers()) === 1;
      }, "the reader to be closed");
      slow.resume();
      await until(() => slow.closed, "its end");
      await speaker.say("PUB flood 0\r\n", "PUB flood.end 2\r\nhi");
      await fast.say();
      for (const raw of [fast, speaker]) raw.close();
      return [await slowConsumers(), fast.heard];
    },
  },
  "a publisher that leaves in the middle of a message": {
    async play(server) {
      const listener = await Raw.open(server, "SUB a 1");
      const speaker = await Raw.open(server, "PUB a 1\r\n1");
      speaker.send("PUB a 10\r\nhalf");
      speaker.close();
      await Bun.sleep(50);
      await (await Raw.open(server, "PUB a 1\r\n2")).say();
      await listener.say();
      listener.close();
      return listener.heard;
    },
  },
  "one byte at a time": {
    async play(server) {
      const listener = await Raw.open(server, "SUB a.* 1");
      const speaker = await Raw.open(server);
      for (const byte of "PUB a.b r 5\r\nh\r\nlo\r\nHPUB a.c 12 13\r\nNATS/1.0\r\n\r\nx\r\n") {
        speaker.send(byte);
        await Bun.sleep(1);
      }
      await speaker.say();
      await listener.say();
      for (const raw of [listener, speaker]) raw.close();
      return listener.heard;
    },
  },
  "draining a client": {
    async play(server) {
      const servers = `127.0.0.1:${server.port}`;
      const [a, b] = await Promise.all([connect({ servers }), connect({ servers })]);
      let heard = 0;
      a.subscribe("work", { queue: "q", callback: () => void heard++ });
      await a.flush();
      for (let i = 0; i < 500; i++) b.publish("work", "x");
      await b.flush();
      await a.drain();
      const nobody = await b
        .request("work", "x", { timeout: 5000 })
        .then(String, (error: Error) => error.message);
      await b.close();
      return [heard, nobody];
    },
  },
};

test.each(Object.keys(SCENARIOS))(
  "the same with nats-server: %s",
  async (name) => {
    const { config = "", broker = {}, play } = SCENARIOS[name]!;
    const server = await startNatsServer(config);
    const allow: Server["allow"] = (users, keys = []) => {
      const all = [
        ...users.map(({ user: who, password }) => `{user: ${who}, password: ${password}}`),
        ...keys.map((key) => `{nkey: ${key}}`),
      ];
      return server.reload(`authorization {\n users: [${all.join(", ")}]\n}`);
    };
    const { port, monitorPort } = server;
    const expected = await play({ port, monitorPort, allow }).finally(() => server.stop());
    const ours = testBroker(broker);
    const seen = await play({
      port: ours.port!,
      monitorPort: ours.monitorPort,
      allow: (users, keys = []) => ours.allow({ users, nkeys: keys }),
    }).finally(() => ours.stop());
    expect(seen).toEqual(expected);
  },
  30_000,
);
