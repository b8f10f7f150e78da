/**
 * `npm run demo`: builds the executable, makes a demo repository with a few check-ins, and serves it at
 * 127.0.0.1:8080 (or where EDGESYNC_SERVE_HTTP says) until ctrl-C. Run again, it serves what is there, with
 * everything that was pushed to it; delete `.cache/demo/` to start afresh.
 *
 * The repository is made through the executable alone, as a user would.
 */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const root = import.meta.dir;
const edgesync = join(root, "dist", process.platform === "win32" ? "edgesync.exe" : "edgesync");
const folder = join(root, ".cache", "demo");
const repository = join(folder, "demo.fossil");
const listen = process.env["EDGESYNC_SERVE_HTTP"] || "127.0.0.1:8080";

/** Whoever runs the demo may also push: only this machine reaches it. */
const LOGIN = "demo";

/** Each check-in's message and the files it changes. */
const HISTORY: readonly (readonly [
  message: string,
  files: Readonly<Record<string, string>>,
  more: string[],
])[] = [
  ["Start with a readme", { "README.md": "# Demo\n\nServed by EdgeSync, cloned with stock Fossil.\n" }, []],
  [
    "Add a first program",
    { "src/hello.c": '#include <stdio.h>\n\nint main(void) {\n  puts("hello");\n  return 0;\n}\n' },
    ["--tag", "v0.1"],
  ],
  [
    "Try a politer greeting",
    { "src/hello.c": '#include <stdio.h>\n\nint main(void) {\n  puts("good day");\n}\n' },
    ["--branch", "polite"],
  ],
  [
    "Say how to build it",
    { "README.md": "# Demo\n\nServed by EdgeSync.\n\n    cc -o hello src/hello.c\n" },
    ["--branch", "trunk"],
  ],
];

function main(): Promise<void> {
  run([process.execPath, join(root, "build.ts"), "--allow-without-iroh"]);
  if (!existsSync(repository)) makeRepository();
  return serve();
}

/** Made under another name first, so that an interrupted demo leaves nothing half-made to be served. */
function makeRepository(): void {
  rmSync(folder, { recursive: true, force: true });
  const unfinished = join(folder, "unfinished.fossil");
  const tree = join(folder, "tree");
  mkdirSync(tree, { recursive: true });
  run([edgesync, "repo", "new", unfinished, "--user", LOGIN, "--project-name", "EdgeSync demo"]);
  run([edgesync, "repo", "user", "passwd", LOGIN, "-R", unfinished], { EDGESYNC_PASSWORD: LOGIN });
  for (const [message, files, more] of HISTORY) {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(tree, name)), { recursive: true });
      writeFileSync(join(tree, name), content);
    }
    const words = ["repo", "ci", "-R", unfinished, "-C", tree, "--user", LOGIN, "-m", message, ...more];
    run([edgesync, ...words, ...Object.keys(files)]);
  }
  renameSync(unfinished, repository);
}

async function serve(): Promise<void> {
  const leaf = Bun.spawn(
    [edgesync, "leaf", "--repo", repository, "--serve-http", listen, "--log-format", "json"],
    {
      stdio: ["ignore", "inherit", "pipe"],
    },
  );
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => leaf.kill(signal));
  let rest = "";
  for await (const chunk of leaf.stderr.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    lines.forEach(showLine);
  }
  process.exitCode = await leaf.exited;
}

/** The leaf's ready line becomes what to paste; an error stays as it is. */
function showLine(line: string): void {
  const entry = line.startsWith("{") ? (JSON.parse(line) as { message: string; http?: string }) : undefined;
  if (entry === undefined) console.error(line);
  if (entry?.message === "ready" && entry.http !== undefined) announce(entry.http);
}

function announce(url: string): void {
  const withLogin = url.replace("://", `://${LOGIN}:${LOGIN}@`);
  console.log(`
The demo repository is served at ${url}

Clone it with stock Fossil (the password is in the URL, answer y to keep it):

    fossil clone ${withLogin} demo.fossil

then open it, change something and commit: a second clone sees it. Ctrl-C stops the leaf.
`);
}

function run(words: string[], env: Record<string, string> = {}): void {
  const { exitCode } = Bun.spawnSync(words, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (exitCode !== 0) process.exit(exitCode || 1);
}

await main();
