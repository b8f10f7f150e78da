import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cardDocs } from "../src/xfer-card-docs.ts";
import { CARD_TABLE } from "../src/xfer-card-table.ts";

test("docs/xfer-cards.md is what the card table says (else: npm run docs)", () => {
  expect(readFileSync(join(import.meta.dir, "../docs/xfer-cards.md"), "utf8")).toBe(cardDocs());
});

test("every card has a row", () => {
  const docs = cardDocs();
  for (const type of Object.keys(CARD_TABLE)) expect(docs).toContain(`| \`${type}`);
});
