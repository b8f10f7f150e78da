import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cardDocs } from "../src/xfer-card-docs.ts";
import { CARD_TABLE } from "../src/xfer-card-table.ts";

const FILE = join(import.meta.dir, "..", "docs", "xfer-cards.md");

test("docs/xfer-cards.md is what the card table says", () => {
  const docs = cardDocs();
  const { EDGESYNC_WRITE_DOCS } = process.env;
  if (EDGESYNC_WRITE_DOCS !== undefined) writeFileSync(FILE, docs);
  expect(readFileSync(FILE, "utf8")).toBe(docs);
});

test("every card has a row", () => {
  const docs = cardDocs();
  for (const type of Object.keys(CARD_TABLE)) expect(docs).toContain(`| \`${type}`);
});
