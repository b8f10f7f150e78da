/**
 * The same messages to our server and to stock's, on copies of one repository: equal replies but for order and
 * times, equal tables afterwards. EDGESYNC_TEST_MESSAGES says how many for each stock version.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { concat, latin1, utf8 } from "../../src/bytes.ts";
import { TempDir } from "../temp-dir.ts";
import { loginOf, type MessageBase, makeMessageBase } from "./message-base.ts";
import { DIFFERENCES, MessageMaker, type Part } from "./message-maker.ts";
import { alike, outcomes } from "./message-outcomes.ts";
import { newestStock, stocks } from "./stock.ts";

const MESSAGE_COUNT = Number(process.env.EDGESYNC_TEST_MESSAGES ?? 40);
const FIRST_SEED = Number(process.env.EDGESYNC_TEST_SEED ?? 1);

const temp = new TempDir("differential");
afterAll(() => temp.remove());
let base: MessageBase;
beforeAll(async () => {
  base = await makeMessageBase(newestStock(), temp);
});

const shown = (parts: readonly Part[]) =>
  latin1(concat(parts.map((part) => (typeof part === "string" ? utf8(part) : part))));

describe.each(stocks().map((stock) => [stock.version, stock] as const))("stock %s and we", (_, stock) => {
  test("answer random messages alike", async () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + MESSAGE_COUNT; seed++) {
      const maker = new MessageMaker(base, seed, !stock.atLeast(2, 29));
      const { parts, login, kind } = maker.message();
      const made = await outcomes(stock, temp, base.path, parts, login);
      const { ours, theirs } = alike(made, base.privateHashes);
      const what = `seed ${seed}, ${kind}, as ${login?.user}:\n${shown(parts)}`;
      expect({ what, ...ours }).toEqual({ what, ...theirs });
    }
  }, 3_600_000);
});

test("what is answered otherwise is documented, and leaves our tables as they were", async () => {
  const stock = newestStock();
  const docs = readFileSync(join(import.meta.dirname, "../../docs/sync-protocol.md"), "utf8");
  const before = (await outcomes(stock, temp, base.path, ["# nothing\n"], undefined)).ours.tables;
  for (const { what, login, parts } of DIFFERENCES) {
    expect(docs).toContain(`| ${what} |`);
    const made = parts(base);
    const { ours, theirs } = await outcomes(stock, temp, base.path, made, loginOf(login));
    expect({ what, tables: ours.tables }).toEqual({ what, tables: before });
    expect({ what, isSame: Bun.deepEquals(ours, theirs) }).toEqual({ what, isSame: false });
  }
}, 120_000);
