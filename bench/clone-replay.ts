/**
 * The network side of a stock clone and nothing else: sends the rounds that `fossil clone` sends, reads every
 * byte of the replies, keeps none but the end of each, which says where the next page begins.
 *
 * Rounds (fossil-facts A, B): POST `clone 3 N` from N = 1; the reply ends with `clone_seqno N` and, when N is
 * not 0, the next request asks from there. Each round is a connection of its own, closed by the server.
 */
import { deflateSync } from "node:zlib";

export interface Replay {
  readonly milliseconds: number;
  readonly rounds: number;
  readonly bytes: number;
  /** Time to the last byte of the first round: what a user waits before anything moves on. */
  readonly firstRoundMs: number;
}

const CLIENT = "pragma client-version 22900 20260821 165942";
const TAIL_BYTES = 512;
const ROUNDS_MAX = 10_000;

/**
 * Clones from `http://127.0.0.1:PORT` into nothing.
 *
 * @throws Error if a reply is not a page of a clone
 */
export async function replayClone(port: number): Promise<Replay> {
  const started = performance.now();
  let bytes = 0;
  let firstRoundMs = 0;
  let next = 1;
  let rounds = 0;
  while (next > 0) {
    const reply = await post(port, `${CLIENT}\nclone 3 ${next}\n# ${"0".repeat(40)}\n`);
    bytes += reply.bytes;
    rounds++;
    if (rounds === 1) firstRoundMs = performance.now() - started;
    const matches = [...reply.tail.matchAll(/(?:^|\n)clone_seqno (\d+)\n/g)];
    const seqno = matches.at(-1)?.[1];
    if (seqno === undefined || rounds > ROUNDS_MAX) {
      throw new Error(`round ${rounds} of the clone ended with ${JSON.stringify(reply.tail.slice(-200))}`);
    }
    next = Number(seqno);
  }
  return { milliseconds: performance.now() - started, rounds, bytes, firstRoundMs };
}

interface Answer {
  readonly bytes: number;
  readonly tail: string;
}

function post(port: number, message: string): Promise<Answer> {
  const body = frame(message);
  const head =
    "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/x-fossil\r\n" +
    `Content-Length: ${body.length}\r\n\r\n`;
  return new Promise((resolve, reject) => {
    let bytes = 0;
    let tail = Buffer.alloc(0);
    Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        open(socket) {
          socket.write(Buffer.concat([Buffer.from(head), body]));
        },
        data(_socket, chunk) {
          bytes += chunk.length;
          const end = Buffer.from(chunk.subarray(Math.max(0, chunk.length - TAIL_BYTES)));
          tail = end.length >= TAIL_BYTES ? end : Buffer.concat([tail, end]).subarray(-TAIL_BYTES);
        },
        close() {
          resolve({ bytes, tail: tail.toString("latin1") });
        },
        error(_socket, error) {
          reject(error);
        },
        connectError(_socket, error) {
          reject(error);
        },
      },
    }).catch(reject);
  });
}

/** The client's framing: a 4-byte big-endian length of the text, then a zlib stream. */
function frame(message: string): Buffer {
  const text = Buffer.from(message);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(text.length);
  return Buffer.concat([length, deflateSync(text)]);
}
