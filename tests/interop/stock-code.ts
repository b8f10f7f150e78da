/**
 * What people do to code, by stock commands: check-ins (delta manifests, renames, merges, cherrypicks,
 * backouts), tags and amendments, branches, private work, shunning.
 */
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { StockBrowser } from "./stock-browser.ts";
import { type Hands, PASSWORD } from "./stock-hands.ts";

/** Later than any other check-in, so that a child can be older than its parent. */
const LATER_MS = Date.UTC(2031, 0, 1);

export async function checkIns(hands: Hands, round: number): Promise<void> {
  const dir = `hand/${round}`;
  hands.edit(`${dir}/one.txt`, "one\ntwo\nthree\n");
  hands.edit(`${dir}/two words.txt`, "2\n");
  hands.edit(
    `${dir}/ключ.bin`,
    Uint8Array.from({ length: 3000 }, (_, i) => (i * i) & 255),
  );
  symlinkSync("one.txt", join(hands.checkout, dir, "link"));
  await hands.inCheckout(["add", dir]);
  const base = await hands.commit(
    `Round ${round}: *by hand*, see [trunk] and [/timeline]`,
    "--tag",
    `by-hand-${round}`,
  );
  for (let i = 0; i < 3; i++) {
    hands.edit(`${dir}/one.txt`, `one\ntwo ${i}\nthree\n`);
    await hands.commit(`Small change ${i} after [${base.slice(0, 10)}]`, "--delta", "--user-override", "bob");
  }
  await hands.inCheckout(["mv", "--hard", `${dir}/two words.txt`, `${dir}/two.txt`]);
  await hands.inCheckout(["rm", "--hard", `${dir}/link`]);
  await hands.commit("Renamed, removed", "--delta", "--mimetype", "text/x-markdown");
  hands.edit(`${dir}/one.txt`, "one\ntwo 2\nthree\nfour\n");
  const baseline = await hands.commit("A baseline again", "--baseline", "--bgcolor", "#d0ffd0");
  await sideBranch(hands, round, dir, base);
  await hands.inCheckout(["merge", "--backout", baseline]);
  await hands.commit("Back out [trunk]");
}

/** A branch with a check-in that is picked from it, then merged with `--integrate`. */
async function sideBranch(hands: Hands, round: number, dir: string, base: string): Promise<void> {
  await hands.inCheckout(["update", base]);
  hands.edit(`${dir}/side.txt`, "side\n");
  await hands.inCheckout(["add", `${dir}/side.txt`]);
  await hands.commit("On the side", "--branch", `side-${round}`, "--branchcolor", "#c0d0ff");
  hands.edit(`${dir}/extra.txt`, "extra\n");
  await hands.inCheckout(["add", `${dir}/extra.txt`]);
  const picked = await hands.commit("To be picked", "--date-override", new Date(LATER_MS).toISOString());
  await hands.inCheckout(["update", "trunk"]);
  await hands.inCheckout(["merge", "--cherrypick", picked]);
  await hands.commit("Picked from the side");
  await hands.inCheckout(["merge", "--integrate", `side-${round}`]);
  await hands.commit("Integrated the side");
}

export async function tagsAndAmendments(hands: Hands): Promise<void> {
  const [tip, older, oldest] = [
    await hands.hash("trunk"),
    await hands.hash("by-hand-0"),
    await hands.hash("root:trunk"),
  ];
  const steps: readonly (readonly string[])[] = [
    ["tag", "add", "good", older],
    ["tag", "add", "--propagate", "since", older, "the value"],
    ["tag", "cancel", "since", tip],
    ["tag", "add", "--raw", "note", older, "a raw property"],
    ["tag", "add", "--raw", "--propagate", "reviewed", oldest, "yes"],
    ["tag", "cancel", "--raw", "reviewed", older],
    ["tag", "add", "good", tip, "--date-override", "2021-01-01 00:00:00", "--user-override", "carol"],
    ["tag", "cancel", "good", older],
    ["amend", older, "-m", "An amended comment, see [trunk]"],
    ["amend", older, "--author", "alice", "--bgcolor", "#ffc0c0"],
    ["amend", older, "--date", "2022-02-02T02:02:02.222"],
    ["amend", oldest, "--tag", "the-first", "--cancel", "note"],
    ["amend", await hands.hash("feature-0"), "--branch", "renamed-feature", "--branchcolor", "#e0e0e0"],
    ["amend", await hands.hash("feature-1"), "--hide", "--close"],
    ["amend", await hands.hash("pages"), "--close", "--date-override", "2030-01-01"],
  ];
  for (const step of steps) await hands.inRepository(step);
}

export async function branches(hands: Hands): Promise<void> {
  await hands.inRepository(["branch", "new", "empty", "trunk", "--bgcolor", "#abcdef"]);
  await hands.inRepository(["branch", "new", "closed", "trunk"]);
  await hands.inRepository(["branch", "close", "closed"]);
  await hands.inRepository(["branch", "new", "reopened", "trunk"]);
  await hands.inRepository(["branch", "close", "reopened"]);
  await hands.inRepository(["branch", "reopen", "reopened"]);
  await hands.inRepository(["branch", "hide", "empty"]);
}

/** Shuns a file and a wiki page's old version, and rebuilds: stock removes their content then. */
export async function shun(hands: Hands): Promise<void> {
  hands.edit("to shun.txt", "this must go\n");
  await hands.inCheckout(["add", "to shun.txt"]);
  await hands.commit("With a file that must go");
  const file = (await hands.run(["sha3sum", join(hands.checkout, "to shun.txt")])).slice(0, 64);
  await hands.inCheckout(["rm", "--hard", "to shun.txt"]);
  await hands.commit("Without it");
  await hands.served(async (url) => {
    const admin = await StockBrowser.login(url, "alice", PASSWORD);
    await admin.submit("/shun", { uuid: file, add: "Shun" });
  });
  await hands.run(["rebuild", hands.repository]);
}

export async function privateBranch(hands: Hands): Promise<void> {
  hands.edit("hidden/plan.txt", "a secret plan\n");
  await hands.inCheckout(["add", "hidden/plan.txt"]);
  await hands.commit("Private start", "--private", "--branch", "hidden-work");
  hands.edit("hidden/plan.txt", "a better secret plan\n");
  await hands.commit("Private change");
  await hands.inRepository(["branch", "new", "private-twig", "trunk", "--private"]);
  await hands.inCheckout(["update", "trunk"]);
}

/** Enough artifacts that a second cluster, which names the first, is made by the next pull. */
export async function manySmall(hands: Hands): Promise<void> {
  for (let i = 0; i < 110; i++) hands.edit(`many/${i}.txt`, `number ${i}\n`);
  await hands.inCheckout(["add", "many"]);
  await hands.commit("Many small files");
}
