/** `edgesync repo user`: who may do what. */
import { command, group, option, type Parser, positional, text } from "./cli-command.ts";
import { columns } from "./cli-output.ts";
import { givenPassword, passwordFileArg, requirePassword } from "./cli-password.ts";
import { withRepository } from "./cli-repository.ts";
import { UsageError } from "./errors.ts";
import { CAPABILITIES, Capabilities } from "./repo-capability.ts";
import type { User } from "./repo-user.ts";

export const userCommand = group({
  description: "lists and changes the users of a repository",
  examples: [
    { line: "edgesync repo user add ann --cap v", about: "a new developer" },
    { line: "edgesync repo user caps ann", about: "what ann may do" },
  ],
  subCommands: {
    ls: () => lsCommand,
    add: () => addCommand,
    update: () => updateCommand,
    rm: () => rmCommand,
    passwd: () => passwdCommand,
    caps: () => capsCommand,
  },
});

/** Letters that stand for another user's: see `repo-capability.ts`. */
const GROUP_LETTERS = "uv";

const capabilityLetters: Parser<string> = (value) => {
  const unknown = [...value].find((letter) => !(letter in CAPABILITIES || GROUP_LETTERS.includes(letter)));
  if (unknown === undefined) return value;
  throw new UsageError("bad-value", `${JSON.stringify(unknown)} is no capability`, {
    hint: "edgesync repo user caps lists the letters",
  });
};

/** Of users and invitations alike. */
export const capArg = option(
  { description: "capability letters, for instance i or v", valueHint: "LETTERS" },
  capabilityLetters,
);
const infoArg = option({ description: "contact information", valueHint: "TEXT" }, text);
const loginArg = positional({ description: "the user's login", required: true });

const toJson = ({ login, capabilities, info, mtime }: User) => ({
  login,
  capabilities,
  info,
  mtime: mtime ?? null,
});

const lsCommand = command({
  description: "lists the users",
  examples: [{ line: "edgesync repo user ls", about: "login, capabilities and contact of each" }],
  run: async (_args, context) => {
    const users = await withRepository(context, "read", ({ repo }) => repo.users.list());
    context.out.result(users.map(toJson), () =>
      columns(users.map(({ login, capabilities, info }) => [login, capabilities, info])),
    );
  },
});

const addCommand = command({
  description: "adds a user; without a password nobody can log in as that user",
  args: { login: loginArg, cap: capArg, info: infoArg, passwordFile: passwordFileArg },
  examples: [
    { line: "edgesync repo user add ann --cap v --password-file ann.txt", about: "a new developer" },
  ],
  run: async ({ login, cap, info, passwordFile }, context) => {
    const password = givenPassword(passwordFile, context.env);
    const user = await withRepository(context, "write", ({ repo }) =>
      repo.users.add(login, {
        ...(cap !== undefined && { capabilities: cap }),
        ...(info !== undefined && { info }),
        ...(password !== undefined && { password }),
      }),
    );
    context.out.result(toJson(user), () => "");
  },
});

const updateCommand = command({
  description: "changes a user's capabilities or contact information",
  args: { login: loginArg, cap: capArg, info: infoArg },
  examples: [
    { line: "edgesync repo user update nobody --cap ''", about: "shut out whoever does not log in" },
  ],
  run: async ({ login, cap, info }, context) => {
    if (cap === undefined && info === undefined) {
      throw new UsageError("missing-argument", "give --cap, --info or both");
    }
    const user = await withRepository(context, "write", ({ repo }) =>
      repo.db.write(() => {
        if (cap !== undefined) repo.users.setCapabilities(login, cap);
        if (info !== undefined) repo.users.setInfo(login, info);
        return repo.users.require(login);
      }),
    );
    context.out.result(toJson(user), () => "");
  },
});

const rmCommand = command({
  description: "removes a user",
  args: { login: loginArg },
  examples: [{ line: "edgesync repo user rm ann", about: "what ann did stays" }],
  run: async ({ login }, context) => {
    await withRepository(context, "write", ({ repo }) => repo.users.remove(login));
    context.out.result({ login }, () => "");
  },
});

const passwdCommand = command({
  description: "changes a user's password",
  args: { login: loginArg, passwordFile: passwordFileArg },
  examples: [{ line: "edgesync repo user passwd ann", about: "asks for it on a terminal" }],
  run: async ({ login, passwordFile }, context) => {
    await withRepository(context, "read", ({ repo }) => repo.users.require(login));
    const password = await requirePassword(passwordFile, context.env, `New password of ${login}: `);
    await withRepository(context, "write", ({ repo }) => repo.users.setPassword(login, password));
    context.out.result({ login }, () => "");
  },
});

const capsCommand = command({
  description:
    "says what a user may do, everything inherited included; without a login, what the letters mean",
  args: { login: positional({ description: "the user's login" }) },
  examples: [{ line: "edgesync repo user caps nobody", about: "what anybody may do" }],
  run: async ({ login }, context) => {
    const letters =
      login === undefined
        ? Object.keys(CAPABILITIES)
        : await withRepository(context, "read", ({ repo }) => {
            repo.users.require(login);
            return [...Capabilities.of(repo.users, login).toString()];
          });
    const meanings: Readonly<Record<string, string>> = CAPABILITIES;
    const rows = letters.map((letter) => ({
      letter,
      meaning: meanings[letter] ?? `all that ${letter} stands for`,
    }));
    context.out.result(rows, () => columns(rows.map(({ letter, meaning }) => [letter, meaning])));
  },
});
