/**
 * A comment of the timeline as plain text. Comments are Fossil-wiki: links in brackets, some HTML, entities.
 * Here is what a reader of a terminal gets of them (Fossil 2.29 does likewise; older versions print the
 * comment as written):
 *
 *     [HASH]          stays as it is
 *     [HASH|label]    becomes [label]
 *     [page|label]    becomes label, whatever else the link names
 *     [page]          stays as it is
 *     <i>, </i> …     go, if wiki text knows the element; anything else that looks like a tag stays
 *     &lt; &#65; …    become the character; an entity nobody knows becomes `?`
 *
 * White space is kept, save at both ends.
 */

/** Elements that occur in comments; the rest of HTML does not belong there. */
const TAG =
  /<\/?(?:a|b|big|blockquote|br|cite|code|del|em|font|hr|i|img|ins|kbd|li|mark|nobr|nowiki|ol|p|pre|q|s|samp|small|span|strike|strong|sub|sup|tt|u|ul|var|verbatim)(?:\s[^<>]*)?\/?>/gi;
const LINK = /\[([^[\]|]+)\|([^[\]]*)\]/g;
const HASH = /^\s*[0-9a-f]{4,64}\s*$/i;
const ENTITY = /&(?:#(\d{1,7})|([a-z]{2,8}));/gi;

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ["amp", "&"],
  ["lt", "<"],
  ["gt", ">"],
  ["nbsp", " "],
  ["quot", '"'],
]);

export function commentText(comment: string): string {
  return comment
    .replace(LINK, (_, target: string, label: string) =>
      HASH.test(target) ? `[${label.trim()}]` : label.trim(),
    )
    .replace(TAG, "")
    .replace(ENTITY, (_, code: string | undefined, name: string) =>
      code === undefined ? (ENTITIES.get(name) ?? "?") : character(Number(code)),
    )
    .trim();
}

function character(code: number): string {
  const isCharacter = code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  return isCharacter ? String.fromCodePoint(code) : "?";
}
