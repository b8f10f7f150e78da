/**
 * Hyperlink targets in Markdown text, as stock collects them for its table of backlinks (Fossil
 * `src/markdown.c`, `src/backlink.c`; the rules are those of 2.29). Nothing is rendered.
 *
 * Three steps: take out the definitions of links and footnotes (`markup-markdown-refs.ts`), scan the blocks
 * (`markup-markdown-block.ts`, `markup-markdown-inline.ts`), then scan the footnotes that were referred to,
 * in the order of their numbers; footnotes inside footnotes are followed five rounds deep.
 */
import { MARKUP_WORK_MAX_STEPS } from "./limits.ts";
import { MarkdownBlocks } from "./markup-markdown-block.ts";
import { MarkdownInline } from "./markup-markdown-inline.ts";
import { MarkdownRefs, takeDefinitions } from "./markup-markdown-refs.ts";
import { WorkBudget, WorkExceeded } from "./markup-text.ts";

const NOTE_ROUNDS = 5;

/**
 * The targets of all links in `text`, each once. A text whose scan would take more than `maxSteps` character
 * steps yields those found until then.
 *
 * @param text one character per byte
 */
export function markdownLinkTargets(text: string, maxSteps = MARKUP_WORK_MAX_STEPS): string[] {
  const targets = new Set<string>();
  if (!text.includes("[")) return [];
  const refs = new MarkdownRefs();
  const inline = new MarkdownInline(refs, new WorkBudget(maxSteps), (target) => targets.add(target));
  try {
    const nul = text.indexOf("\0");
    const body = takeDefinitions(nul < 0 ? text : text.slice(0, nul), refs);
    refs.settle();
    new MarkdownBlocks(inline).parse(body, 0, body.length);
    scanNotes(refs, inline);
  } catch (error) {
    if (!(error instanceof WorkExceeded)) throw error;
  }
  return [...targets];
}

function scanNotes(refs: MarkdownRefs, inline: MarkdownInline): void {
  let marksBefore = -1;
  for (let round = 0; round < NOTE_ROUNDS && marksBefore !== refs.marks; round++) {
    marksBefore = refs.marks;
    const used = refs.notes.filter((note) => note.uses > 0);
    const unused = refs.notes.filter((note) => note.uses === 0);
    used.sort((a, b) => a.mark - b.mark);
    unused.sort((a, b) => a.order - b.order);
    for (const note of [...used, ...unused]) {
      // An unused one may have been referred to since, from one before it.
      if (note.rendered || note.uses === 0) continue;
      note.rendered = true;
      inline.scan(note.text, 0, note.text.length);
    }
  }
}
