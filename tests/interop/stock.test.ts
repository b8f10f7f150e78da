import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { TempDir } from "../temp-dir.ts";
import { newestStock, StockError, stocks } from "./stock.ts";

for (const stock of stocks()) {
  describe(`stock ${stock.version}`, () => {
    test("runs in its own home, reports status and output, serves until it is stopped", async () => {
      let folder: string;
      {
        using temp = new TempDir();
        folder = temp.path;
        const repo = temp.join("a.fossil");
        expect(await stock.ok(["init", repo])).toContain("project-id:");
        const bad = await stock.run(["info", "-R", temp.join("missing.fossil")]);
        expect(bad.code).toBe(1);
        expect(bad.stderr).toContain("missing.fossil");
        expect(stock.ok(["info", "-R", temp.join("missing.fossil")])).rejects.toThrow(StockError);
        await using server = await stock.serve(repo);
        expect(await stock.ok(["clone", server.url, temp.join("b.fossil"), "--no-open"])).toContain(
          "Clone done",
        );
        await server.stop();
        expect(fetch(server.url)).rejects.toThrow();
      }
      expect(existsSync(folder)).toBe(false);
    });

    test("takes standard input and gives binary output", () => {
      using temp = new TempDir();
      const content = Uint8Array.of(0, 255, 10, 128);
      const file = temp.write("a", content);
      expect(stock.okSync(["sha1sum", file])).toContain("  ");
      const piped = stock.runSync(["sha3sum", "-"], { input: content });
      expect(piped.code).toBe(0);
      expect(piped.stdout.slice(0, 64)).toBe(new Bun.CryptoHasher("sha3-256").update(content).digest("hex"));
    });
  });
}

test("the newest stock is one of them", () => {
  expect(stocks()).toContain(newestStock());
});
