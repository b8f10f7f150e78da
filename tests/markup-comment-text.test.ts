import { expect, test } from "bun:test";
import { commentText } from "../src/markup-comment-text.ts";

test.each([
  ["plain", "plain"],
  ["  two\n lines ", "two\n lines"],
  ["see [0123abcd]", "see [0123abcd]"],
  ["see [0123abcd4567|0123abcd]", "see [0123abcd]"],
  ["see [/artifact/12|notes.txt] and [Page | a page ]", "see notes.txt and a page"],
  ["<i>a</i> <b class=x>b</b><br/>", "a b"],
  ["List<String> if a < b or c > d", "List<String> if a < b or c > d"],
  ["&amp;lt; &lt;b&gt; &#65;&#128512; &quot;&nbsp;&bogus; &#0; &#55296;", '&lt; <b> A😀 " ? ? ?'],
  ["a & b &; &x", "a & b &; &x"],
  ["[unfinished|link and ]", "link and"],
  ["[[a|b]]", "[b]"],
])("%j", (comment, plain) => {
  expect(commentText(comment)).toBe(plain);
});
