/** What stock makes of a file that our code wrote. Acceptance: fossil-facts H, "Our files". */
import { describe, expect, test } from "bun:test";
import { copyFileSync } from "node:fs";
import { systemClock } from "../../src/clock.ts";
import { systemRandom } from "../../src/random.ts";
import { Repo } from "../../src/repo.ts";
import { rebuildRepository } from "../../src/repo-rebuild.ts";
import { TempDir } from "../temp-dir.ts";
import { fixture } from "./fixture.ts";
import { makeOurs, OUR_PASSWORD } from "./our-life.ts";
import { stocks } from "./stock.ts";
import { StockBrowser } from "./stock-browser.ts";
import { artifactSet, copyRepository, diffDumps, dumpTables, rebuildParity, timesOf } from "./tables.ts";

const folder = new TempDir("ours");
const ours = folder.join("ours.fossil");
makeOurs(ours);

function copyOfOurs(temp: TempDir): string {
  const copy = temp.join("copy.fossil");
  copyRepository(ours, copy);
  return copy;
}

for (const stock of stocks()) {
  describe(`stock ${stock.version} and a repository of ours`, () => {
    test("rebuilds it without changing a row", async () => {
      expect(await rebuildParity(ours, stock)).toEqual([]);
    });

    test("finds nothing wrong with its artifacts", async () => {
      using temp = new TempDir();
      const copy = copyOfOurs(temp);
      expect(await stock.ok(["test-integrity", "-R", copy])).toContain(" 0 errors");
      const parsed = await stock.ok(["test-parse-all-blobs", "-R", copy]);
      expect(parsed).toContain("0 errors");
    });

    test("takes it apart and puts it together again", async () => {
      using temp = new TempDir();
      const copy = copyOfOurs(temp);
      const parts = temp.folder("parts");
      await stock.ok(["deconstruct", parts, "-R", copy, "--private"]);
      const again = temp.join("again.fossil");
      await stock.ok(["reconstruct", again, parts]);
      const names = (path: string) => artifactSet(path).map((line) => line.replace(" private", ""));
      expect(names(again)).toEqual(names(copy));
    });

    test("works in it: info, timeline, open, edit, commit", async () => {
      using temp = new TempDir();
      const copy = copyOfOurs(temp);
      const cwd = temp.folder("checkout");
      const user = "ann";
      expect(await stock.ok(["info", "-R", copy])).toContain("Made by EdgeSync");
      const timeline = await stock.ok(["timeline", "-n", "0", "-R", copy]);
      for (const said of ["Merged", "Edit reply: Hello", "It fails", "Start page", "Newer", "Amended"]) {
        expect(timeline).toContain(said);
      }
      await stock.ok(["open", copy, "trunk"], { cwd, user });
      expect(await stock.ok(["status"], { cwd, user })).toContain("trunk");
      temp.write("checkout/run me.sh", "#!/bin/sh\necho changed by stock\n");
      const said = await stock.ok(["commit", "-m", "By stock", "--no-warnings"], { cwd, user });
      expect(said).toContain("New_Version: ");
      expect(await stock.ok(["test-integrity", "-R", copy])).toContain(" 0 errors");
      await stock.ok(["close"], { cwd, user });
      expect(await rebuildParity(copy, stock)).toEqual([]);
    });

    test("shows its pages, logs its users in, and clones it", async () => {
      using temp = new TempDir();
      const copy = copyOfOurs(temp);
      await using server = await stock.serve(copy);
      const ann = await StockBrowser.login(server.url, "ann", OUR_PASSWORD);
      const pages = [
        "/timeline",
        "/info/trunk",
        "/tree?ci=trunk",
        "/wiki?name=Start+page",
        "/forum",
        "/brlist",
      ];
      for (const page of pages) {
        const { status, body } = await ann.get(page);
        expect([page, status]).toEqual([page, 200]);
        expect(body).not.toContain("SQLITE_ERROR");
      }
      const clone = temp.join("clone.fossil");
      await stock.ok(["clone", server.urlAs("bob", OUR_PASSWORD), clone, "--no-open"]);
      expect(artifactSet(clone)).toEqual(artifactSet(copy).filter((line) => !line.endsWith(" private")));
    });

    test("agrees with our rebuild of a repository of its own", async () => {
      using temp = new TempDir();
      const [by, byUs] = [temp.join("stock.fossil"), temp.join("ours.fossil")];
      copyFileSync(await fixture(stock), by);
      copyFileSync(by, byUs);
      await stock.ok(["rebuild", by]);
      const repo = Repo.open(byUs, { mode: "write", clock: systemClock, random: systemRandom });
      rebuildRepository(repo, { user: () => "dev", version: "test" });
      repo.close();
      const config = /^name="(backoffice-disable|content-schema|aux-schema|rebuilt)"/;
      const comparable = (path: string) => {
        const dump = new Map(dumpTables(path, undefined, timesOf(stock)));
        dump.set(
          "config",
          (dump.get("config") ?? []).filter((line) => !config.test(line)),
        );
        return dump;
      };
      expect(diffDumps(comparable(by), comparable(byUs), ["stock's rebuild", "ours"])).toEqual([]);
    });
  });
}
