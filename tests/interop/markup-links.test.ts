/**
 * Links found in made-up texts, against `fossil test-backlinks`. Markdown: rules of 2.29, which 2.21 shares in
 * these texts. Wiki: later versions know more elements, so 2.21 sees only those it knows.
 */
import { expect, test } from "bun:test";
import { latin1, utf8 } from "../../src/bytes.ts";
import { markdownLinkTargets } from "../../src/markup-markdown-links.ts";
import { wikiLinkTargets } from "../../src/markup-wiki-links.ts";
import { type Random, randomBelow, seededRandom } from "../../src/random.ts";
import { TempDir } from "../temp-dir.ts";
import { type Stock, stocks } from "./stock.ts";

const TEXTS = 80;

const MARKDOWN = [
  ..."*|**|***|_|__|`|``|```|~~~|\n|\n\n|  \n| |    |\t|> |>|- |* |+ |1. |2) |# |## |#|===\n|---\n|--".split(
    "|",
  ),
  ..."|,| ,||,|---|---|\n".split(","),
  ...":~[~]~(~)~[~]~](~![~[^~(^~^~[^n1]~[^n2]~[^n1]: ~\n[^n1]: ~\n[^n2]: .cls: ~\n[r1]: ~\n[R1]:\n  ".split(
    "~",
  ),
  ..."\n  [r2]: <~[r1]~[r2]~[][r1]~\\~\\[~\\]~<~>~</~<pre>~</pre>\n\n~<script>~<html>~</html>\n\n~<!--".split(
    "~",
  ),
  ..."-->~<hr>\n~<a href='~<http://x~mailto:~<a@b.c>~\"~'~'x'~\"t\"~a~b~foo~x y~&amp;~é~\r\n~\r~.c.d:~\v".split(
    "~",
  ),
];

const WIKI = [
  ..."[~]~|~ ~\n~<nowiki>~</nowiki>~<verbatim>~</verbatim>~<verbatim id=x>~</verbatim id=x>~<div id=a>".split(
    "~",
  ),
  ...'<verbatim type=pikchr>~<verbatim type id=x>~<verbatim-foo>~<verbatim bogus=1 id="x">~</div id=a>'.split(
    "~",
  ),
  ...'<verbatim id="x~</div>~<b>~<foo ~<foo>~<b title="~"~\'~>~<~/>~&lt;~&~  * ~  # ~a~text~<NoWiki>'.split(
    "~",
  ),
  ..."</VERBATIM>~id~=~type~é".split("~"),
];

class TextMaker {
  private linkCount = 0;

  constructor(
    private readonly random: Random,
    private readonly pieces: readonly string[],
    private readonly isMarkdown: boolean,
  ) {}

  make(): string {
    const pieces = Array.from({ length: 3 + randomBelow(this.random, 25) }, () => this.piece());
    return pieces.join("");
  }

  private piece(): string {
    const kind = randomBelow(this.random, 10);
    if (kind === 0 && this.isMarkdown) return `[t](${this.link()})`;
    if (kind === 1) return this.isMarkdown ? `[${this.link()}]` : `[${this.link()}|l]`;
    if (kind === 2) return this.link();
    if (kind === 3 && this.isMarkdown) return `](/info/${this.link()} "t")`;
    return this.pieces[randomBelow(this.random, this.pieces.length)]!;
  }

  private link(): string {
    const digits = (0xa0000 + ++this.linkCount).toString(16);
    return randomBelow(this.random, 3) === 0 ? `${digits}AB` : digits;
  }
}

/** What is recorded of the targets found. */
function recorded(targets: readonly string[]): string[] {
  const links = targets.flatMap((target) => /^(?:\/info\/)?([0-9a-f]{4,64})$/i.exec(target)?.[1] ?? []);
  return [...new Set(links.map((link) => link.toLowerCase()))].sort();
}

function stockLinks(stock: Stock, file: string, mimetype: string): string[] {
  const stdout = stock.okSync(["test-backlinks", "2", "1", file, "--mimetype", mimetype]);
  return [...new Set([...stdout.matchAll(/target='([^']*)'/g)].map((match) => match[1]!))].sort();
}

test.each(stocks().map((stock) => [stock.version, stock] as const))(
  "fossil %s",
  (_version, stock) => {
    using folder = new TempDir("markup");
    const random = seededRandom(9n);
    let linkCount = 0;
    for (const isMarkdown of [true, false]) {
      const maker = new TextMaker(random, isMarkdown ? MARKDOWN : WIKI, isMarkdown);
      const find = isMarkdown ? markdownLinkTargets : wikiLinkTargets;
      for (let i = 0; i < TEXTS; i++) {
        const text = maker.make();
        const file = folder.write("text", text);
        const expected = stockLinks(stock, file, isMarkdown ? "text/x-markdown" : "text/x-fossil-wiki");
        expect([text, recorded(find(latin1(utf8(text))))]).toEqual([text, expected]);
        linkCount += expected.length;
      }
    }
    expect(linkCount).toBeGreaterThan(TEXTS);
  },
  60_000,
);
