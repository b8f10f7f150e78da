/** `edgesync repo invite`: a new user, and a token to clone with. */
import { command, option, positional, text } from "./cli-command.ts";
import { withRepository } from "./cli-repository.ts";
import { duration } from "./cli-values.ts";
import { capArg } from "./cmd-repo-user.ts";
import { formatDateTime } from "./julian.ts";
import { formatInvite, invite } from "./repo-invite.ts";

export const inviteCommand = command({
  description: "adds a user and prints a token that clones as that user; it is as good as a password",
  args: {
    login: positional({ description: "the new user's login", required: true }),
    cap: capArg,
    ttl: option(
      { description: "how long the token counts; for ever unless given", valueHint: "DURATION" },
      duration,
    ),
    url: option({ description: "the address to clone from, put into the token", valueHint: "URL" }, text),
  },
  examples: [
    {
      line: "edgesync repo invite ann --cap v --ttl 7d --url https://example.org/project",
      about: "for edgesync repo clone --invite TOKEN p.fossil",
    },
    {
      line: "edgesync repo invite reader --cap go",
      about: "may clone and pull, from an address told otherwise",
    },
  ],
  run: async ({ login, cap, ttl, url }, context) => {
    const invitation = await withRepository(context, "write", ({ repo }) =>
      invite(repo, {
        login,
        ...(cap !== undefined && { capabilities: cap }),
        ...(ttl !== undefined && { ttlMs: ttl }),
        ...(url !== undefined && { url }),
      }),
    );
    const token = formatInvite(invitation);
    const expires = invitation.expires === undefined ? null : formatDateTime(invitation.expires);
    context.out.result({ login, token, expires }, () => `${token}\n`);
    if (expires !== null) context.out.note(`counts until ${expires} UTC`);
  },
});
