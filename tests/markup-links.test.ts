import { describe, expect, test } from "bun:test";
import { markdownLinkTargets } from "../src/markup-markdown-links.ts";
import { wikiLinkTargets } from "../src/markup-wiki-links.ts";

type Case = readonly [text: string, targets: readonly string[]];

/** What stock finds in each is compared in interop/markup-links.test.ts; these say what is meant. */
const WIKI: readonly Case[] = [
  ["[abcd] [abcd|label] [ abcd ] [abcd  |x]", ["abcd", "abcd", " abcd", "abcd"]],
  ["[two\nlines] [unclosed", ["two\nlines"]],
  ["[a [b] c]", ["a [b"]],
  ["[] [|x] [ ]", ["", "", " "]],
  ["<nowiki>[no]</nowiki>[yes] <NOWIKI>[no]", ["yes"]],
  ["</nowiki>[yes]", ["yes"]],
  ["<verbatim>[no]<nowiki></verbatim>[yes]", ["yes"]],
  ["<verbatim type='pikchr'>[no]</verbatim>[yes]", ["yes"]],
  ["<verbatim id=x>[no]</verbatim id=x>[no]</verbatim>[no]", []],
  ["<verbatim-x>[no]</verbatim-x></verbatim>[no]", []],
  ["<verbatim type id=x>[no]</verbatim>[yes]", ["yes"]],
  ["<b title='[no]'>[yes]</b>", ["yes"]],
  ["<foo title='[yes]'>", ["yes"]],
  ["1 < 2 [yes] 3 > 2", ["yes"]],
  ["<b [yes]", ["yes"]],
  ["[yes]\0[no]", ["yes"]],
];

const MARKDOWN: readonly Case[] = [
  ["[t](abcd) [t]( <abcd> ) [t](abcd 'title') [t] (abcd)", ["abcd"]],
  ["![t](no) [![alt](no)](yes)", ["yes"]],
  ["`[t](no)` ``[t](no)` [t](no)``", []],
  ["    [t](no)\n\n\t[t](no)\n\n[t](yes)", ["yes"]],
  ["```\n[t](no)\n```\n[t](yes)", ["yes"]],
  ["> ~~~\n> [t](no)\n>\n> ~~~\n\n> [t](yes)", ["yes"]],
  ["\\[t](no) [t\\](no) [t](y\\es)", ["yes"]],
  ["* item [t](one)\n  * [t](two)\n\n  [t](three)\n1. [t](four)", ["one", "two", "three", "four"]],
  ["[a]\n\n[a]: one\n[A B]: two 'title'\n[x][a  b] [unknown]", ["one", "two"]],
  ['[text][] [TEXT]\n\n[text]:\n  <yes>\n  "title"', ["yes"]],
  ["| a | [t](one) |\n|---|---|\n| `|` | [t](two) |", ["one", "two"]],
  ["# [t](one)\n[t](two)\n===\nx\n***\n[t](three)", ["one", "two", "three"]],
  [
    "text[^n] (^inline [t](one))\n\n[^n]: [t](two)[^m]\n[^m]: [t](three)\n[^o]: [t](no)",
    ["one", "two", "three"],
  ],
  ["<pre>\n[t](no)\n</pre>\n\n<!-- [t](no) -->\n\n[t](yes)", ["yes"]],
  ["<a href='[t](no)'>[t](one)</a> <http://x/[t](no)>", ["one"]],
  ["*a [t](one) **b [t](two)** c* _d [t](three)_", ["one", "two", "three"]],
  ["[t](yes)\0[t](no)", ["yes"]],
];

describe("Fossil wiki", () => {
  test.each(WIKI)("%j", (text, targets) => expect(wikiLinkTargets(text)).toEqual([...targets]));

  test("as HTML only, every bracket is a link", () => {
    expect(wikiLinkTargets("<nowiki>[a]</nowiki><verbatim>[b]", true)).toEqual(["a", "b"]);
  });
});

describe("Markdown", () => {
  test.each(MARKDOWN)("%j", (text, targets) => {
    expect(markdownLinkTargets(text).sort()).toEqual([...targets].sort());
  });
});

describe("the work on a hostile text is bounded", () => {
  const unclosed = `[yes]${"<a ".repeat(1000)}'>[no]`;
  const steps = [...unclosed.matchAll(/</g)].reduce((sum, { index }) => sum + unclosed.length - index, 0);

  test("wiki: at the limit everything is found, past it what came before", () => {
    expect(wikiLinkTargets(unclosed, false, steps)).toEqual(["yes", "no"]);
    expect(wikiLinkTargets(unclosed, false, steps / 2)).toEqual(["yes"]);
  });

  test("Markdown: the same", () => {
    const text = `[t](yes)\n\n${"[".repeat(2000)}\n\n[t](also)`;
    expect(markdownLinkTargets(text)).toEqual(["yes", "also"]);
    expect(markdownLinkTargets(text, 1_000_000)).toEqual(["yes"]);
  });

  const repeated = [
    "[",
    "[^",
    "![",
    "(^",
    "[a](",
    "*a ",
    "***a",
    "_a*",
    "`",
    "`a``",
    "- ",
    "> ",
    "1. a\n",
    "|",
    "|`a",
  ];
  test.each([...repeated, "<", "<a ", "<!--", "<pre>\n", "<http://", "[a]: b\n", "[^a]: b\n  c\n", "# "])(
    "%j repeated",
    (piece) => {
      const text = `${piece.repeat(60_000 / piece.length)}]>)`;
      for (const find of [wikiLinkTargets, (t: string) => markdownLinkTargets(t, 2_000_000)]) {
        expect(find(text).length).toBeLessThanOrEqual(30_000);
      }
    },
  );
});
