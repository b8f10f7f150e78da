/** Publishers are slowed down for readers that lag behind, but never stopped by one. */
import { expect, test } from "bun:test";
import { BrokerPace } from "../src/broker-pace.ts";
import type { BrokerSocket } from "../src/broker-socket.ts";
import { systemClock } from "../src/clock.ts";
import { testBroker } from "./broker-harness.ts";
import { until } from "./interop/nats-server.ts";
import { Timeline } from "./sim/timeline.ts";

function publisher(seen: string[], name: string): BrokerSocket {
  const say = (what: string) => () => void seen.push(`${name} ${what}`);
  const socket: Partial<BrokerSocket> = { pause: say("pauses"), resume: say("resumes") };
  return socket as BrokerSocket;
}

test("held until a reader has caught up, or for a moment", async () => {
  const time = new Timeline();
  const after = (delayMs: number, run: () => void) => time.after(delayMs, run);
  const pace = new BrokerPace({ ...systemClock, after });
  const seen: string[] = [];
  const [a, b] = [publisher(seen, "a"), publisher(seen, "b")];
  pace.isCrowded = true;
  pace.hold(a);
  pace.hold(a);
  pace.hold(b);
  expect(pace.isCrowded).toBe(false);
  expect(seen.splice(0)).toEqual(["a pauses", "b pauses"]);
  pace.relieved();
  pace.relieved();
  expect(seen.splice(0)).toEqual(["a resumes", "b resumes"]);
  pace.hold(b);
  await time.runUntil(19);
  expect(seen.splice(0)).toEqual(["b pauses"]);
  await time.runUntil(1000);
  expect(seen).toEqual(["b resumes"]);
});

test("a reader that stops for a while loses nothing, though far more was published than may wait for it", async () => {
  const broker = testBroker({ limits: { pendingBytesMax: 16_000_000 } });
  const [size, count] = [100_000, 400];
  const body = "x".repeat(size);
  const expected = count * `MSG a 1 ${size}\r\n${body}\r\n`.length;
  let heard = 0;
  let isOver = false;
  const open = (data: (bytes: number) => void, drain = () => {}) =>
    Bun.connect({
      hostname: "127.0.0.1",
      port: broker.port!,
      socket: {
        data: (_socket, chunk) => data(chunk.length),
        drain,
        close() {
          isOver = true;
        },
      },
    });
  const reader = await open((bytes) => {
    heard += bytes;
  });
  reader.write('CONNECT {"verbose":false}\r\nSUB a 1\r\n');
  await until(() => heard > 0, "INFO");
  await Bun.sleep(20);
  heard = 0;
  const block = Buffer.from(`PUB a ${size}\r\n${body}\r\n`.repeat(count), "latin1");
  let at = 0;
  const write = () => {
    at += Math.max(0, speaker.write(block.subarray(at)));
  };
  const speaker = await open(() => {}, write);
  reader.pause();
  setTimeout(() => reader.resume(), 100);
  write();
  await until(() => heard >= expected || isOver, "all of it");
  expect([heard, isOver]).toEqual([expected, false]);
  reader.end();
  speaker.end();
  await broker.stop();
}, 20_000);
