/** `edgesync repo diff`: how the files of two check-ins differ, or those of a checkout from a check-in. */
import { isWithin } from "./checkout-add.ts";
import { checkoutDifferences } from "./checkout-diff.ts";
import { treeNames, withCheckout } from "./cli-checkout.ts";
import { command, option, positional, text, type Values } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { DIFF_ARGS, printDiff } from "./cli-diff.ts";
import { repositoryName, worksInCheckout } from "./cli-place.ts";
import { type OpenRepository, withRepository } from "./cli-repository.ts";
import type { FilePair } from "./diff-report.ts";
import { NameError, RepoError, UsageError } from "./errors.ts";
import type { Repo } from "./repo.ts";
import type { Rid } from "./repo-content.ts";
import type { CheckInFile } from "./repo-files.ts";
import { resolveName } from "./repo-name.ts";
import { isAmong, type TreeDifference, treeDifferences } from "./repo-tree-diff.ts";

export const diffCommand = command({
  description: "shows what has changed in a checkout, or between two check-ins",
  args: {
    files: positional({ description: "only these files, and what is in these folders", repeat: true }),
    from: option(
      {
        description: "the check-in before; in a checkout: what is checked out",
        valueHint: "VERSION",
        alias: ["r"],
      },
      text,
    ),
    to: option(
      { description: "the check-in after; in a checkout: the files as they are", valueHint: "VERSION" },
      text,
    ),
    checkin: option({ description: "what a check-in changed", valueHint: "VERSION", alias: ["ci"] }, text),
    branch: option({ description: "what was changed on a branch", valueHint: "NAME" }, text),
    ...DIFF_ARGS,
  },
  examples: [
    { line: "edgesync repo diff", about: "what is not committed in the checkout" },
    { line: "edgesync repo diff --from v1.0 --to trunk", about: "all that changed, as a patch" },
    { line: "edgesync repo diff --checkin tip --stat", about: "how much the newest check-in changed" },
    { line: "edgesync repo diff --branch feature -U 3 src", about: "one folder on a branch" },
  ],
  run: async (args, context) => {
    const { to, checkin, branch } = args;
    if (to === undefined && checkin === undefined && branch === undefined && worksInCheckout(context)) {
      return diffCheckout(args, context);
    }
    await withRepository(context, "read", (open) => {
      const { repo } = open;
      const [from, to] = endsOf(open, args);
      const all = treeDifferences(repo, from, to);
      const paths = args.files.map((file) => repositoryName(context, file).replace(/^\.\/|\/+$/g, "") || ".");
      const chosen = all.filter(({ name }) => isAmong(name, paths));
      const isWhole = context.out.json || args.stat || args.newFile;
      const shown = isWhole ? "all" : args.brief ? "none" : "changed";
      printDiff(pairsOf(repo, chosen, shown), args, context);
    });
  },
});

/** The checkout against a check-in. */
async function diffCheckout(
  args: Values<typeof DIFF_ARGS> & { readonly files: readonly string[]; readonly from: string | undefined },
  context: CliContext,
): Promise<undefined> {
  await withCheckout(context, "read", (checkout) => {
    const { repo, checkIn } = checkout;
    const names = treeNames(checkout, context, args.files);
    const options = { type: "ci", ...(checkIn !== undefined && { checkout: checkIn }) } as const;
    const pairs = checkoutDifferences(checkout, {
      isWanted: (name) => names.length === 0 || names.some((wanted) => isWithin(name, wanted)),
      wholeFiles: context.out.json || args.stat || args.newFile,
      ...(args.from !== undefined && { from: resolveName(repo, args.from, options) }),
    });
    printDiff(pairs, args, context);
  });
}

interface Ends {
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly checkin: string | undefined;
  readonly branch: string | undefined;
}

function endsOf({ repo, checkout }: OpenRepository, { from, to, checkin, branch }: Ends): [Rid, Rid] {
  const named = [from ?? to, checkin, branch].filter((name) => name !== undefined);
  if (named.length > 1) {
    throw new UsageError(
      "conflicting-options",
      "--from and --to, --checkin and --branch exclude one another",
    );
  }
  const resolve = (name: string) =>
    resolveName(repo, name, { type: "ci", ...(checkout !== undefined && { checkout }) });
  if (branch !== undefined) return [resolve(`merge-in:${branch}`), resolve(branch)];
  if (checkin !== undefined) {
    const rid = resolve(checkin);
    return [parentOf(repo, rid, checkin), rid];
  }
  if (from === undefined || to === undefined) {
    throw new UsageError("missing-argument", "two versions are compared: give --from and --to", {
      hint: "or --checkin VERSION for what one changed",
    });
  }
  return [resolve(from), resolve(to)];
}

function parentOf(repo: Repo, rid: Rid, name: string): Rid {
  const parent = repo.db.prepare("SELECT pid FROM plink WHERE cid=? AND isprim").value<Rid>(rid);
  if (parent === undefined) throw new NameError("no-parent", `check-in ${name} has no parent`);
  return parent;
}

/** Contents are read only where they are shown, one file at a time. */
function* pairsOf(
  repo: Repo,
  differences: readonly TreeDifference[],
  shown: "none" | "changed" | "all",
): Generator<FilePair> {
  for (const { name, from, to } of differences) {
    const isChanged = from !== undefined && to !== undefined;
    const isShown = shown === "all" || (shown === "changed" && isChanged);
    const read = (file: CheckInFile) => (isShown ? contentOf(repo, file) : new Uint8Array(0));
    yield { name, ...(from && { from: read(from) }), ...(to && { to: read(to) }) };
  }
}

function contentOf({ content }: Repo, { rid, hash }: CheckInFile): Uint8Array {
  const bytes = rid === undefined ? undefined : content.get(rid);
  if (bytes !== undefined) return bytes;
  throw new RepoError("content-missing", `the content of artifact ${hash} is not in this repository`, {
    hint: "sync with a peer that has it",
  });
}
