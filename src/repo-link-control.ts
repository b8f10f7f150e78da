/**
 * Links a control artifact: its tags, and a timeline entry of type g that tells what they change (Fossil
 * `src/manifest.c`). The comment is a sentence per tagged artifact, in order of hash and then of tag:
 *
 *     Edit [LINK|SHORT]: Move to branch [/timeline?… | NAME]. Edit check-in comment. …
 *
 * Symbolic names that come with a move to another branch are not told.
 */
import { rawOf } from "./artifact-escape.ts";
import type { Control, TagEntry } from "./artifact-types.ts";
import type { Hash } from "./hash.ts";
import type { Config } from "./repo-config.ts";
import { NO_RID, type Rid } from "./repo-content.ts";
import { putEvent } from "./repo-event.ts";
import type { LinkContext } from "./repo-link-context.ts";
import { html, link, reference, token } from "./repo-link-text.ts";
import { insertTag, tagTypeOf } from "./repo-tag.ts";

export function linkControl(ctx: LinkContext, rid: Rid, control: Control): void {
  ctx.amended.add(rid);
  for (const tag of control.tags) {
    const target = tag.target === undefined ? rid : ctx.ridOf(tag.target);
    if (target === NO_RID) continue;
    insertTag(ctx, {
      name: tag.name,
      type: tagTypeOf(tag.action),
      value: tag.value ?? null,
      source: rid,
      date: control.date,
      target,
    });
  }
  const comment = describeTags(ctx.repo.config, control.tags);
  putEvent(ctx.db, { type: "g", date: control.date, rid, user: control.user, comment });
}

function describeTags(config: Config, tags: readonly TagEntry[]): string {
  const sentences: string[] = [];
  let last: Hash | undefined;
  let movesBranch = false;
  for (const tag of sortedTags(tags)) {
    if (tag.target !== last) {
      last = tag.target;
      movesBranch = false;
      sentences.push(`Edit [${reference(config, tag.target)}]:`);
    }
    if (tag.action === "*" && tag.name === "branch") movesBranch = true;
    const sentence = describeTag(config, tag, movesBranch);
    if (sentence !== undefined) sentences.push(sentence);
  }
  return sentences.join(" ");
}

interface TargetedTag extends TagEntry {
  readonly target: Hash;
}

function sortedTags(tags: readonly TagEntry[]): TargetedTag[] {
  const keyed = tags
    .filter((tag): tag is TargetedTag => tag.target !== undefined)
    .map((tag) => ({ tag, name: rawOf(tag.action + tag.name) }));
  keyed.sort((a, b) => compare(a.tag.target, b.tag.target) || compare(a.name, b.name));
  return keyed.map(({ tag }) => tag);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** What one tag changes; `undefined` when it goes without saying. */
function describeTag(config: Config, tag: TargetedTag, movesBranch: boolean): string | undefined {
  const value = tag.value ?? "";
  const noted = (text: string) => (value === "" ? `${text}.` : `${text} with note "${html(value)}".`);
  switch (tag.action + tag.name) {
    case "*branch": {
      const query = `r=${token(value)}&nd&dp=${link(config, tag.target)}&unhide`;
      return `Move to branch [/timeline?${query} | ${html(value)}].`;
    }
    case "*bgcolor":
      return `Change branch background color to "${html(value)}".`;
    case "+bgcolor":
      return `Change background color to "${html(value)}".`;
    case "-bgcolor":
      return noted("Cancel background color");
    case "+comment":
      return "Edit check-in comment.";
    case "+user":
      return `Change user to "${html(value)}".`;
    case "+date":
      return `Timestamp ${html(value)}.`;
    case "+closed":
      return noted('Mark "Closed"');
    case "-closed":
      return noted('Remove the "Closed" mark');
  }
  if (tag.name.startsWith("sym-")) {
    const name = html(tag.name.slice(4));
    if (tag.action === "+") return noted(`Add tag "${name}"`);
    if (movesBranch) return undefined;
    return noted(tag.action === "-" ? `Cancel tag "${name}"` : `Add propagating tag "${name}"`);
  }
  const verb = { "-": "Cancel", "+": "Add", "*": "Add propagating" }[tag.action];
  const name = html(tag.name);
  return value === "" ? `${verb} "${name}".` : `${verb} "${name}" with value "${html(value)}".`;
}
