/** Serves a repository to stock clients over HTTP, in this process, with the sync engine and nothing else. */
import type { Clock } from "../src/clock.ts";
import { systemClock } from "../src/clock.ts";
import { systemRandom } from "../src/random.ts";
import { Repo } from "../src/repo.ts";
import {
  errorReply,
  type ServeFacts,
  type ServeReply,
  type ServeRequest,
  serveExchange,
  WriteNeeded,
} from "../src/sync-server.ts";

export interface Served {
  readonly request: ServeRequest;
  readonly access: "read" | "write";
  readonly facts: ServeFacts | undefined;
}

export class ServeHarness implements AsyncDisposable {
  readonly url: string;
  /** Every exchange so far. */
  readonly served: Served[] = [];
  /** Runs between the request and its answer. */
  onRequest: (() => void | Promise<void>) | undefined;
  private readonly server: Bun.Server<undefined>;
  private readonly reader: Repo;
  readonly writer: Repo;

  constructor(path: string, clock: Clock = systemClock) {
    const deps = { clock, random: systemRandom };
    this.writer = Repo.open(path, { mode: "write", ...deps });
    this.reader = Repo.open(path, { mode: "read", ...deps });
    this.server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      maxRequestBodySize: 2 ** 31,
      fetch: (request) => this.answer(request, clock),
    });
    this.url = `http://127.0.0.1:${this.server.port}`;
  }

  urlAs(login: string, password: string): string {
    return this.url.replace("//", `//${login}:${password}@`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop(true);
    this.reader.close();
    this.writer.close();
  }

  private async answer(incoming: Request, clock: Clock): Promise<Response> {
    const contentType = incoming.headers.get("content-type") ?? "";
    const request: ServeRequest = {
      contentType,
      cookie: incoming.headers.get("cookie") ?? undefined,
      address: "127.0.0.1",
      body: new Uint8Array(await incoming.arrayBuffer()),
    };
    await this.onRequest?.();
    const headers = (type: string) => ({ "content-type": type, connection: "close" });
    try {
      const { body, contentType: type } = this.serve(request);
      return new Response(body, { headers: headers(type) });
    } catch (error) {
      this.served.push({ request, access: "write", facts: undefined });
      const { status, contentType: type, body } = errorReply(error, contentType, clock);
      return new Response(body, { status, headers: headers(type) });
    }
  }

  private serve(request: ServeRequest): ServeReply {
    try {
      const reply = serveExchange(this.reader, request);
      this.served.push({ request, access: "read", facts: reply.facts });
      return reply;
    } catch (error) {
      if (!(error instanceof WriteNeeded)) throw error;
      const reply = serveExchange(this.writer, request);
      this.served.push({ request, access: "write", facts: reply.facts });
      return reply;
    }
  }
}
