/**
 * The plain page that a browser gets from a leaf: which project this is and how to get a copy of it.
 * No scripts, no requests to other hosts; every value is escaped by the template.
 */
import { html } from "hono/html";
import type { ProjectSummary } from "./repo-summary.ts";

const STYLE = `
  :root { color-scheme: light dark; }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 4rem auto; padding: 0 1rem; }
  pre { padding: .75rem 1rem; border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: .4rem; overflow-x: auto; }
  dt { font-weight: 600; } dd { margin: 0 0 .5rem 0; } code { font-size: .95em; }
`;

/** One project. `cloneUrl` is the address to give to `fossil clone`. */
export function projectPage(project: ProjectSummary, cloneUrl: string): string {
  const title = project.projectName === "" ? project.fileName : project.projectName;
  const fileName = `${title.replace(/[^\w.-]+/g, "-").replace(/^[-.]+|-+$/g, "") || "project"}.fossil`;
  const login = project.openToClone ? "" : "USER@";
  const url = cloneUrl.replace("://", `://${login}`);
  return page(
    title,
    html`<h1>${title}</h1>
      <p>This is an EdgeSync leaf. It speaks the Fossil sync protocol: any <code>fossil</code> can clone from it and sync with it.</p>
      <pre>fossil clone ${url} ${fileName}</pre>
      ${project.openToClone ? "" : html`<p>Cloning needs a login: put your user name in place of <code>USER</code>.</p>`}
      <dl>
        <dt>Check-ins</dt><dd>${project.checkInCount}${project.lastCheckIn === undefined ? "" : `, the newest ${project.lastCheckIn} UTC`}</dd>
        <dt>Project code</dt><dd><code>${project.projectCode}</code></dd>
      </dl>`,
  );
}

/** A directory of projects, each below its own path. */
export function indexPage(
  projects: readonly { readonly path: string; readonly projectName: string }[],
): string {
  const list = projects.map(
    ({ path, projectName }) =>
      html`<li><a href="${path}">${projectName === "" ? path : projectName}</a></li>`,
  );
  return page(
    "Repositories",
    html`<h1>Repositories</h1>
      ${projects.length === 0 ? html`<p>There are none here yet.</p>` : html`<ul>${list}</ul>`}`,
  );
}

/** A problem, in words. */
export function problemPage(title: string, message: string): string {
  return page(title, html`<h1>${title}</h1><p>${message}</p>`);
}

function page(title: string, body: unknown): string {
  return String(html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
${body}
</body>
</html>
`);
}
