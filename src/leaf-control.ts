/**
 * The control server of a leaf: `edgesync status`, `sync now` and the like ask it. JSON over HTTP on a free port of
 * 127.0.0.1; address and token stand in a file that only the owner can read (`leaf-control-file.ts`).
 *
 *     GET or POST /NAME    Authorization: Bearer TOKEN    [JSON]
 *     200  the route's answer
 *     400  {"error": {"code", "message", "hint"}}: what the route threw
 *     401  another token    404  no such route    413, 503  past a bound
 *
 * Tokens are compared in constant time. A body has at most `CONTROL_BODY_MAX_BYTES`, and at most
 * `CONTROL_REQUEST_MAX_COUNT` requests are answered at once; how long one takes is the route's affair.
 */
import type { Server } from "bun";
import type { Clock } from "./clock.ts";
import { EdgeSyncError, RepoError } from "./errors.ts";
import { callLeaf, findLeaf } from "./leaf-control-client.ts";
import { type ControlFile, makeControlFile, removeControlFile } from "./leaf-control-file.ts";
import { CONTROL_BODY_MAX_BYTES, CONTROL_DRAIN_MS, CONTROL_REQUEST_MAX_COUNT } from "./limits.ts";
import { type Random, randomHex } from "./random.ts";

/** `GET /status` → its answer, as JSON can hold it. What comes with a POST is whatever JSON was sent. */
export type ControlRoutes = Readonly<Record<string, (input: unknown) => unknown>>;

export interface LeafControl {
  /** Takes the file away, lets answers under way leave, closes the socket. */
  stop(): Promise<void>;
}

const TOKEN_BYTES = 32;

/**
 * Starts to answer for the leaf of a repository.
 *
 * @throws RepoError `leaf-running` when another leaf keeps the repository; `control-file`
 */
export async function startControl(
  repository: string,
  routes: ControlRoutes,
  deps: { readonly clock: Clock; readonly random: Random },
): Promise<LeafControl> {
  const { clock, random } = deps;
  const token = randomHex(random, TOKEN_BYTES);
  const server = listen(routes, token);
  try {
    await claim(repository, { pid: process.pid, url: server.url.href, token });
  } catch (error) {
    await server.stop(true);
    throw error;
  }
  return {
    async stop() {
      removeControlFile(repository, token);
      await Promise.race([server.stop(false), clock.sleep(CONTROL_DRAIN_MS)]);
      await server.stop(true);
    },
  };
}

/** Makes the file, in the place of one that a leaf left behind which is no more. */
async function claim(repository: string, own: ControlFile): Promise<void> {
  while (!makeControlFile(repository, own)) {
    const other = findLeaf(repository);
    if (other !== undefined && (await isAlive(other))) {
      throw new RepoError("leaf-running", `a leaf with the process id ${other.pid} keeps ${repository}`, {
        hint: "one is enough: see edgesync status",
        data: { pid: other.pid },
      });
    }
    removeControlFile(repository);
  }
}

async function isAlive(leaf: ControlFile): Promise<boolean> {
  try {
    await callLeaf(leaf, "GET /ping");
    return true;
  } catch {
    return false;
  }
}

function listen(routes: ControlRoutes, token: string): Server<undefined> {
  let activeCount = 0;
  return Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    maxRequestBodySize: CONTROL_BODY_MAX_BYTES,
    async fetch(request, server) {
      if (!isToken(request.headers.get("authorization") ?? "", token)) return refusal(401, "another token");
      if (activeCount >= CONTROL_REQUEST_MAX_COUNT) return refusal(503, "too many requests at once");
      const name = `${request.method} ${new URL(request.url).pathname}`;
      const route = name === "GET /ping" ? () => ({ pid: process.pid }) : routes[name];
      if (route === undefined) return refusal(404, `no such route: ${name}`);
      server.timeout(request, 0);
      activeCount++;
      try {
        const sent = await request.text();
        return Response.json(await route(sent === "" ? undefined : JSON.parse(sent)));
      } catch (error) {
        return failure(error);
      } finally {
        activeCount--;
      }
    },
  });
}

/** Digests are compared, which are as long as one another whatever was sent. */
function isToken(authorization: string, token: string): boolean {
  const digest = (value: string) => new Bun.CryptoHasher("sha256").update(value).digest();
  return crypto.timingSafeEqual(digest(authorization), digest(`Bearer ${token}`));
}

function refusal(status: number, message: string): Response {
  return Response.json({ error: { code: "control-refused", message, hint: null } }, { status });
}

function failure(error: unknown): Response {
  if (error instanceof SyntaxError) return refusal(400, "the body is not JSON");
  const code = error instanceof EdgeSyncError ? error.code : "internal";
  const hint = error instanceof EdgeSyncError ? (error.hint ?? null) : null;
  const message = error instanceof Error ? error.message : String(error);
  return Response.json({ error: { code, message, hint } }, { status: 400 });
}
