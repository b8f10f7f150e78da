/**
 * What a leaf answers to GET: `/healthz` (this process runs), `/readyz` (its repository can be read),
 * `/metrics` (Prometheus text), and a plain page everywhere else. With a directory of repositories, each
 * is below `/NAME` and the root lists them.
 */
import { type Context, Hono } from "hono";
import { EdgeSyncError, NameError } from "./errors.ts";
import type { HostedRepositories } from "./leaf-repositories.ts";
import { errorText } from "./sync-server.ts";
import type { Telemetry } from "./telemetry.ts";
import { indexPage, problemPage, projectPage } from "./web-page.ts";

export interface LeafPagesOptions {
  readonly repositories: HostedRepositories;
  readonly telemetry: Telemetry;
  /** False once the leaf has begun to stop: load balancers then look elsewhere. */
  readonly isReady: () => boolean;
}

export function leafPages({ repositories, telemetry, isReady }: LeafPagesOptions): Hono {
  const app = new Hono();
  app.get("/healthz", (context) => context.text("ok\n"));
  app.get("/readyz", async (context) => {
    if (!isReady()) return context.text("stopping\n", 503);
    if (repositories.names() === undefined) {
      try {
        await repositories.at("/").describe();
      } catch (error) {
        return context.text(`${errorText(error)}\n`, 503);
      }
    }
    return context.text("ready\n");
  });
  app.get("/metrics", async (context) =>
    context.body(await telemetry.text(), 200, { "Content-Type": telemetry.contentType }),
  );
  app.get("*", async (context) => {
    const names = repositories.names();
    if (names !== undefined && context.req.path === "/") return listing(context, repositories, names);
    const project = await repositories.at(context.req.path).describe();
    const url = new URL(context.req.url);
    const root = names === undefined ? "/" : `/${context.req.path.split("/")[1]}`;
    return context.html(projectPage(project, `${url.protocol}//${url.host}${root}`));
  });
  app.notFound((context) =>
    context.html(problemPage("Not here", "A leaf answers GET, and POST of Fossil sync messages."), 404),
  );
  app.onError((error, context) => {
    if (error instanceof NameError) return context.html(problemPage("Not found", error.message), 404);
    if (error instanceof EdgeSyncError)
      return context.html(problemPage("Not available", errorText(error)), 503);
    throw error;
  });
  return app;
}

async function listing(context: Context, repositories: HostedRepositories, names: readonly string[]) {
  const projects = await Promise.all(
    names.map(async (name) => {
      const path = `/${name}`;
      try {
        const { projectName } = await repositories.at(path).describe();
        return { path, projectName: projectName === "" ? name : `${name}: ${projectName}` };
      } catch (error) {
        return { path, projectName: `${name} (${errorText(error)})` };
      }
    }),
  );
  return context.html(indexPage(projects));
}
