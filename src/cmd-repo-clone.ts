/** `edgesync repo clone`: copies a peer's repository into a new file. */
import { recordUse } from "./checkout-user-db.ts";
import { type CloneRequest, cloneAsAsked } from "./cli-clone.ts";
import { command, flag, option, positional, text } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { filesTold } from "./cli-files.ts";
import { IROH_ARGS } from "./cli-iroh.ts";
import { columns, formatBytes } from "./cli-output.ts";
import { PASSWORD_VARIABLE } from "./cli-password.ts";
import { REMOTE_ARGS } from "./cli-remote.ts";
import { EXIT, type ExitCode, UsageError } from "./errors.ts";
import { type Invitation, parseInvite } from "./repo-invite.ts";

export const cloneCommand = command({
  description: "copies a repository from a server, or from a file, into a new file",
  args: {
    src: positional({
      description:
        "its address: http(s)://…, nats://HOST/PROJECT-CODE, iroh:TICKET, or the path of a repository",
      required: true,
    }),
    file: positional({
      description: "the file to make; given alone, with an invitation that says where to clone from",
    }),
    invite: option({ description: "clone as the user invited by this token", valueHint: "TOKEN" }, text),
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
    { line: "edgesync repo clone --invite edgesync1.eyJs p.fossil", about: "with what repo invite printed" },
  ],
  run: async ({ src, file, invite, ...args }, given) => {
    const invitation = invite === undefined ? undefined : parseInvite(invite);
    const [source, target] = file === undefined ? [invitation?.url, src] : [src, file];
    if (source === undefined) {
      const what =
        invitation === undefined ? "the file to make is missing" : "the invitation names no address";
      throw new UsageError("missing-argument", what, { hint: "give the address, and then the file to make" });
    }
    if (invitation === undefined) return clone({ ...args, source, target }, given);
    const { [PASSWORD_VARIABLE]: _, ...env } = given.env;
    const invited = asInvited(invitation);
    return clone({ ...args, ...invited, source: withLogin(source, invited.user), target }, { ...given, env });
  },
});

/** A web address with another login in it: it is remembered with the clone. Other addresses hold none. */
function withLogin(address: string, login: string): string {
  return address.replace(/^(https?:\/\/)(?:[^/@]*@)?/i, `$1${encodeURIComponent(login)}@`);
}

async function clone(request: CloneRequest, context: CliContext): Promise<ExitCode> {
  const { target } = request;
  const summary = await cloneAsAsked(request, context);
  recordUse(context.env, target);
  tell(target, summary, context);
  return summary.refused.length + (summary.files?.refused.length ?? 0) === 0 ? EXIT.done : EXIT.failed;
}

/** The invitation's login alone: not that of the address, a file or the environment. */
function asInvited({ login, password }: Invitation) {
  return { user: login, invitedPassword: password, passwordFile: undefined };
}

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
