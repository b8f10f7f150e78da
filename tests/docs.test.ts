import { expect, test } from "bun:test";
import { generatedDocs, readDoc } from "../docs/generate.ts";

const DOCS = [...(await generatedDocs())];

test.each(DOCS)("docs/%s is what npm run docs would write", (name, content) => {
  expect(readDoc(name)).toBe(content);
});
