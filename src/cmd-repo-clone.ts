/** `edgesync repo clone`: copies a peer's repository into a new file. */
import { cloneAsAsked } from "./cli-clone.ts";
import { command, flag, positional } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { filesTold } from "./cli-files.ts";
import { IROH_ARGS } from "./cli-iroh.ts";
import { columns, formatBytes } from "./cli-output.ts";
import { REMOTE_ARGS } from "./cli-remote.ts";
import { EXIT } from "./errors.ts";

export const cloneCommand = command({
  description: "copies a repository from a server, or from a file, into a new file",
  args: {
    src: positional({
      description:
        "its address: http(s)://…, nats://HOST/PROJECT-CODE, iroh:TICKET, or the path of a repository",
      required: true,
    }),
    file: positional({ description: "the file to make", required: true }),
    ...REMOTE_ARGS,
    ...IROH_ARGS,
    private: flag({ description: "private branches too" }),
    uv: flag({ description: "unversioned files too" }),
    verify: flag({ description: "compare every artifact with its hash", default: "true" }),
  },
  examples: [
    { line: "edgesync repo clone https://example.org/project project.fossil", about: "from a server" },
    { line: "edgesync repo clone ../project.fossil copy.fossil", about: "from a file" },
    {
      line: "edgesync repo clone https://ann@example.org/project p.fossil --password-file pw",
      about: "logged in",
    },
  ],
  run: async ({ src: source, file: target, ...args }, context) => {
    const summary = await cloneAsAsked({ source, target, ...args }, context);
    tell(target, summary, context);
    return summary.refused.length + (summary.files?.refused.length ?? 0) === 0 ? EXIT.done : EXIT.failed;
  },
});

type Cloned = Awaited<ReturnType<typeof cloneAsAsked>>;

function tell(repository: string, summary: Cloned, { out }: CliContext): void {
  const { peer, files, projectCode, serverCode, user, password, artifactCount, phantomCount, isResumed } =
    summary;
  const { rounds, bytesSent, bytesReceived, messages } = summary;
  for (const message of messages) out.note(`${peer} says: ${message}`);
  const refused = summary.refused.map(({ hash, error }) => ({ hash, problem: error.message }));
  out.result(
    {
      repository,
      projectCode,
      serverCode,
      user,
      password,
      artifactCount,
      phantomCount,
      rounds,
      bytesSent,
      bytesReceived,
      isResumed,
      refused,
      ...(files && { files }),
    },
    () =>
      columns([
        ["repository", repository],
        ["project-code", projectCode],
        ...(user === undefined ? [] : [["administrator", administrator(user, password)]]),
        ["artifacts", `${artifactCount}${phantomCount === 0 ? "" : `, ${phantomCount} missing`}`],
        ["received", `${formatBytes(bytesReceived)} in ${rounds} rounds`],
        ...refused.map(({ hash, problem }) => ["refused", `${hash} from ${peer}: ${problem}`]),
        ...(files === undefined ? [] : filesTold(files)),
      ]),
  );
}

function administrator(user: string, password: string | undefined): string {
  return password === undefined ? user : `${user} (password ${password})`;
}
