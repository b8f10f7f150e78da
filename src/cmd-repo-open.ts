/** `edgesync repo open` and `close`: a checkout made in a folder, and taken away again. */
import { existsSync, mkdirSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { Checkout } from "./checkout-db.ts";
import { checkoutAt, findCheckout } from "./checkout-place.ts";
import { CheckoutSettings } from "./checkout-settings.ts";
import { refreshClean, switchTo } from "./checkout-switch.ts";
import { forgetCheckout, recordUse } from "./checkout-user-db.ts";
import { AUTOSYNC_ARGS, pullBefore } from "./cli-autosync.ts";
import { withCheckout } from "./cli-checkout.ts";
import { checkInFacts, describeCheckIn, labelled } from "./cli-checkout-info.ts";
import { command, flag, option, positional, text } from "./cli-command.ts";
import type { CliContext } from "./cli-context.ts";
import { findRepository } from "./cli-repository.ts";
import { holdSignals } from "./cli-signals.ts";
import { RepoError, UsageError } from "./errors.ts";
import { Repo } from "./repo.ts";
import { mainBranch } from "./repo-branch.ts";
import type { Rid } from "./repo-content.ts";
import { findName, resolveName } from "./repo-name.ts";

export const openCommand = command({
  description: "makes the folder worked in a checkout of a repository",
  args: {
    what: positional({
      description: "the repository's file, unless -R names it, and what to check out, else the main branch",
      repeat: true,
    }),
    force: flag({
      description: "in a folder that is not empty; unmanaged files are overwritten",
      alias: ["f"],
    }),
    keep: flag({
      description: "write no files: those that are here are taken for the version's",
      alias: ["k"],
    }),
    empty: flag({ description: "check nothing out: the first commit begins a history of its own" }),
    nested: flag({ description: "inside of another checkout" }),
    forceMissing: flag({ description: "leave out files whose content is not here" }),
    setmtime: flag({ description: "give files the times of their check-ins" }),
    ...AUTOSYNC_ARGS,
    reopen: option({ description: "this checkout's repository is now FILE", valueHint: "FILE" }, text),
  },
  examples: [
    { line: "edgesync repo open ../project.fossil", about: "the main branch, into this empty folder" },
    {
      line: "edgesync repo open -R project.fossil -C work release-1.0",
      about: "a version, into a new folder",
    },
    {
      line: "edgesync repo open --reopen /new/place/project.fossil",
      about: "after the repository has moved",
    },
  ],
  run: async (args, context) => {
    const { out } = context;
    if (args.reopen !== undefined) return reopen(args.reopen, context);
    const { checkout: folder } = context.globals;
    const { path, version } = asked(args.what, context);
    mkdirSync(folder, { recursive: true });
    const root = realpathSync(folder);
    if (!args.keep && !args.force) refuseFull(root, path);
    refuseNested(root, args.nested);
    const { clock, random, env } = context;
    const repo = Repo.open(path, { mode: "write", clock, random });
    const release = holdSignals(out);
    let checkout: Checkout | undefined;
    try {
      const settings = new CheckoutSettings({ repo, root, env });
      if (!args.empty) await pullBefore({ repo, settings, command: "open" }, args, context);
      const target = args.empty ? undefined : findTarget(repo, version);
      checkout = Checkout.create(root, path, repo, env);
      repo.config.set(`ckout:${root}/`, "1");
      const { force, keep, forceMissing, setmtime } = args;
      const change =
        target === undefined
          ? { written: [] }
          : switchTo(checkout, target, { force, keep, forceMissing, setTimes: setmtime });
      recordUse(env, repo.path, root);
      const facts = target === undefined ? null : checkInFacts(repo, target);
      out.result({ root, repository: repo.path, checkIn: facts, written: change.written }, () =>
        [
          ...change.written.map((name) => `${name}\n`),
          labelled("project-name:", repo.config.get("project-name") ?? "<unnamed>"),
          labelled("repository:", resolve(path)),
          labelled("local-root:", `${root}/`),
          labelled("project-code:", repo.config.projectCode ?? ""),
          facts === null ? "" : describeCheckIn("checkout:", facts, true),
        ].join(""),
      );
    } catch (error) {
      checkout?.db.close();
      if (checkout !== undefined) {
        rmSync(checkout.database, { force: true });
        forgetRow(repo, root);
      }
      throw error;
    } finally {
      release();
      if (checkout === undefined) repo.close();
      else checkout.close();
    }
  },
});

/** Where that fails the row stays: it is a note for listings, and they pass over what is gone. */
function forgetRow(repo: Repo, root: string): void {
  try {
    repo.config.unset(`ckout:${root}/`);
  } catch {}
}

/**
 * As users of stock write it, `open FILE [VERSION]`; with `-R`, or one repository here, `open [VERSION]`.
 *
 * @throws UsageError `too-many`; RepoError `no-repository`, `several-repositories`
 */
function asked(
  what: readonly string[],
  { globals }: CliContext,
): { path: string; version: string | undefined } {
  const names = [...what];
  const [first = ""] = names;
  const isFile = globals.repository === undefined && (/\.fossil$/.test(first) || existsSync(first));
  const path = isFile ? names.shift()! : (globals.repository ?? findRepository(globals));
  if (names.length > 1) {
    throw new UsageError("too-many", `expected one version, got ${names.join(" ")}`, {
      hint: "edgesync repo open [FILE] [VERSION]",
    });
  }
  return { path, version: names[0] };
}

function findTarget(repo: Repo, version: string | undefined): Rid | undefined {
  if (version !== undefined) return resolveName(repo, version, { type: "ci" });
  return findName(repo, mainBranch(repo), { type: "ci" }) ?? findName(repo, "tip", { type: "ci" });
}

/** @throws RepoError `folder-not-empty` */
function refuseFull(root: string, repository: string): void {
  const own = resolve(repository);
  const isOwn = (name: string) => [own, `${own}-wal`, `${own}-shm`].includes(join(root, name));
  const found = readdirSync(root).find((name) => !isOwn(name));
  if (found === undefined) return;
  throw new RepoError("folder-not-empty", `the folder ${root} is not empty`, {
    hint: "overwrite what is in the way with --force, or take the files here for the version's with --keep",
  });
}

/** @throws RepoError `already-open` */
function refuseNested(root: string, isAllowed: boolean): void {
  const place = isAllowed ? checkoutAt(root) : findCheckout(root);
  if (place === undefined) return;
  throw new RepoError("already-open", `there is an open checkout at ${place.root} already`, {
    hint: place.root === root ? "close it first, or use it" : "open inside of it with --nested",
  });
}

async function reopen(path: string, context: CliContext): Promise<undefined> {
  const { globals, clock, random, env, out } = context;
  const checkout = Checkout.open(globals.checkout, { mode: "write", repository: path, clock, random, env });
  try {
    checkout.write(() => checkout.setRepository(path));
    checkout.repo.config.set(`ckout:${checkout.root}/`, "1");
    recordUse(env, checkout.repo.path, checkout.root);
    const { root, repo } = checkout;
    out.result({ root, repository: repo.path }, () => `${root} is a checkout of ${resolve(path)}\n`);
  } finally {
    checkout.close();
  }
}

export const closeCommand = command({
  description: "ends a checkout; its files stay",
  args: {
    force: flag({ description: "even with changes that are not committed, or stashed ones", alias: ["f"] }),
  },
  examples: [{ line: "edgesync repo close", about: "the repository keeps all that was committed" }],
  run: async ({ force }, context) => {
    const { root, database } = await withCheckout(context, "write", (checkout) => {
      if (!force) {
        refreshClean(checkout);
        refuseStash(checkout);
      }
      checkout.repo.config.unset(`ckout:${checkout.root}/`);
      forgetCheckout(context.env, checkout.root);
      return checkout;
    });
    for (const ending of ["", "-journal", "-wal", "-shm"]) rmSync(database + ending, { force: true });
    context.out.result({ root }, () => "");
  },
});

/** @throws UsageError `stash-not-empty` */
function refuseStash({ db }: Checkout): void {
  if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name='stash'").value() === undefined) return;
  if (db.prepare("SELECT 1 FROM stash LIMIT 1").value() === undefined) return;
  throw new UsageError("stash-not-empty", "closing the checkout would delete its stash", {
    hint: "apply or drop what is stashed, or add --force",
  });
}
