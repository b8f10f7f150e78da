import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { text, utf8 } from "../src/bytes.ts";
import { CannotSpill, dropSpilled, SpillFile } from "../src/leaf-spill.ts";
import { seededRandom } from "../src/random.ts";

const random = seededRandom(11n);

describe.skipIf(process.platform !== "linux")("a reply in a file", () => {
  test("has what was written since it was cleared, and no name", () => {
    const file = new SpillFile(random);
    file.write(utf8("forgotten, and longer than the rest"));
    file.clear();
    file.write(utf8("one "));
    file.write(utf8("two"));
    const kept = file.keep();
    expect(kept.length).toBe(7);
    expect(text(readFileSync(`/proc/self/fd/${kept.fd}`))).toBe("one two");
    expect(readlinkSync(`/proc/self/fd/${kept.fd}`)).toEndWith(" (deleted)");
    dropSpilled(kept);
    expect(() => readFileSync(`/proc/self/fd/${kept.fd}`)).toThrow();
  });

  test("that is dropped, or never written, leaves nothing", () => {
    const count = readdirSync("/proc/self/fd").length;
    const file = new SpillFile(random);
    file.clear();
    file.drop();
    file.write(utf8("x"));
    file.drop();
    file.drop();
    expect(readdirSync("/proc/self/fd").length).toBe(count);
  });

  test("where no file can be made, says so", async () => {
    const module = new URL("../src/leaf-spill.ts", import.meta.url).pathname;
    const script = `
      const { SpillFile } = await import(${JSON.stringify(module)});
      const file = new SpillFile({ bytes: (count) => new Uint8Array(count) });
      let code;
      try { file.write(new Uint8Array(1)); } catch (error) { code = error.code; }
      console.log(code, file.tryWrite(new Uint8Array(1)), file.length);`;
    const child = Bun.spawn([process.execPath, "-e", script], {
      env: { ...process.env, TMPDIR: "/nowhere/at/all" },
      stdout: "pipe",
    });
    expect((await new Response(child.stdout).text()).trim()).toBe("cannot-spill false 0");
    expect(new CannotSpill(new Error("x")).code).toBe("cannot-spill");
  });
});
