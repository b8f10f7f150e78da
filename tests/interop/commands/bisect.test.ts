/** A bisect by either program, or by both in turn, compared with one by stock. */
import { describe, expect, test } from "bun:test";
import { randomBelow, seededRandom } from "../../../src/random.ts";
import { stocks } from "../stock.ts";
import { CheckoutPair } from "./two-checkouts.ts";

describe.each(stocks())("fossil $version", (stock) => {
  /** Twelve check-ins in a row, and some on a branch. */
  function history(): { pair: CheckoutPair; names: string[] } {
    const pair = new CheckoutPair(stock);
    const names: string[] = [];
    for (let i = 0; i < 12; i++) {
      pair.write("n", `${i}\n`);
      names.push(pair.commit(`number ${i}`));
      if (i === 3) {
        pair.write("other", "x\n");
        pair.commit("branch", "--branch", "side");
        pair.base("update", names[3]!);
      }
    }
    return { pair, names };
  }

  const state = (pair: CheckoutPair, copy: string) => [
    pair.look(copy).tables["checkout"],
    pair.fossil(copy, "sql", "SELECT name, value FROM localdb.vvar WHERE name GLOB 'bisect*' ORDER BY 1")
      .stdout,
  ];
  const chart = (stdout: string) =>
    stdout.split("\n").filter((line) => /^ *\d+ [A-Z]+ +\d{4}-|span:|complete/.test(line));

  test("ends at the same check-in, by the same steps, whoever makes them", async () => {
    const { pair, names } = history();
    using _ = pair;
    const random = seededRandom(7n);
    for (let round = 0; round < 3; round++) {
      const firstBad = 2 + randomBelow(random, 9);
      const { ours, theirs } = pair.fork();
      const steps: string[][] = [
        ["good", names[0]!],
        ["bad", names[11]!],
      ];
      for (let i = 0; i < 8; i++) {
        const words = steps.shift();
        if (words === undefined) break;
        // The copy that is ours is taken over by stock now and then.
        const isOurs = randomBelow(random, 3) > 0;
        const mine = isOurs
          ? await pair.edgesync(ours, "bisect", ...words)
          : pair.fossil(ours, "bisect", ...words);
        const other = pair.fossil(theirs, "bisect", ...words);
        expect([round, words, chart(mine.stdout)]).toEqual([round, words, chart(other.stdout)]);
        expect([round, words, state(pair, ours)]).toEqual([round, words, state(pair, theirs)]);
        if (other.stdout.includes("bisect complete")) break;
        const at = names.indexOf(String(pair.tables(theirs)["checkout"]));
        if (steps.length === 0)
          steps.push([i === 3 && round === 1 ? "skip" : at >= firstBad ? "bad" : "good"]);
      }
      for (const verb of ["chart", "options"]) {
        const [mine, other] = [
          await pair.edgesync(ours, "bisect", verb),
          pair.fossil(theirs, "bisect", verb),
        ];
        if (verb === "chart") expect(mine.stdout).toBe(other.stdout);
        else expect(mine.stdout.match(/^ {2}\S+ +\S+/gm)).toEqual(other.stdout.match(/^ {2}\S+ +\S+/gm));
      }
      const list = (text: string) => text.replaceAll(" NEXT", "");
      expect(list((await pair.edgesync(ours, "bisect", "ls", "--all")).stdout)).toBe(
        list(pair.fossil(theirs, "bisect", "ls", "--all").stdout),
      );
      await pair.edgesync(ours, "bisect", "undo");
      pair.fossil(theirs, "bisect", "undo");
      expect(pair.tables(ours)["checkout"]).toBe(pair.tables(theirs)["checkout"] as string);
    }
  });

  test("run tests until it is found", async () => {
    const { pair, names } = history();
    using _ = pair;
    const { ours } = pair.fork();
    expect((await pair.edgesync(ours, "bisect", "run", "true")).code).toBe(2);
    await pair.edgesync(ours, "bisect", "good", names[1]!);
    await pair.edgesync(ours, "bisect", "bad", names[10]!);
    const test = `n=$(cat ${pair.tree(ours)}/n); test $n = 6 && exit 125; test $n -lt 8`;
    const log = (await pair.edgesync(ours, "bisect", "log")).stdout;
    for (const stopped of ["kill -INT $$", "exit 130"]) {
      const interrupted = await pair.edgesync(ours, "bisect", "run", stopped);
      expect(interrupted).toMatchObject({ code: 1, stderr: expect.stringContaining("was interrupted") });
      expect((await pair.edgesync(ours, "bisect", "log")).stdout).toBe(log);
    }
    const { stdout, code } = await pair.edgesync(ours, "bisect", "run", test);
    expect([code, stdout]).toEqual([0, expect.stringContaining("bisect complete")]);
    expect((await pair.edgesync(ours, "bisect", "status")).stdout).toContain(`${names[8]!.slice(0, 10)} BAD`);
    expect((await pair.edgesync(ours, "bisect", "reset")).code).toBe(0);
    expect((await pair.edgesync(ours, "bisect", "next")).stderr).toContain(
      "neither a good nor a bad version",
    );
  });
});
