import { afterAll, expect, test } from "bun:test";
import { cli } from "../cli-process.ts";
import { TempDir } from "../temp-dir.ts";
import { stocks } from "./stock.ts";

/** Synced tables from the command line; stock's rebuild leaves them alone. */
const folder = new TempDir("cli-schema");
const at = ["-R", folder.join("r.fossil")];
afterAll(() => folder.remove());
const schema = (...words: string[]) => cli(["repo", "schema", ...words, ...at]);

test("a table's life", async () => {
  await cli(["repo", "new", folder.join("r.fossil")]);
  const done = { code: 0, stdout: "" };
  expect(await schema("list")).toMatchObject(done);
  const columns = "id:text:pk,n:integer,load:real,key:blob,more:json";
  expect(await schema("add", "peers", "--columns", columns)).toMatchObject(done);
  expect(
    await schema("put", "peers", "id=a", "n=7", "load=0.5", "key=00ff", 'more={"z":1,"a":[]}'),
  ).toMatchObject(done);
  expect(await schema("put", "peers", "id=b=c", "n=-1")).toMatchObject(done);
  expect((await schema("list")).stdout).toBe(`peers  mtime-wins  ${columns}\n`);
  expect((await schema("rows", "peers", "--where", "n=7")).stdout).toBe(
    'id  n  load  key   more\na   7  0.5   00ff  {"a":[],"z":1}\n',
  );
  const rows = (await schema("rows", "peers", "--json", "--where", "id=a")).stdout;
  expect(JSON.parse(rows)).toMatchObject({
    isDeleted: false,
    values: { id: "a", n: 7, load: 0.5, key: { base64: "AP8=" }, more: { z: 1, a: [] } },
  });
  expect(await schema("put", "peers", "id=a", "n=8", "--date-override", "2020-01-01")).toMatchObject({
    code: 1,
  });
  expect(await schema("delete", "peers", "id=a")).toMatchObject(done);
  expect((await schema("rows", "peers")).stdout).not.toContain("00ff");
  expect((await schema("rows", "peers", "-a")).stdout).toContain("deleted  a");
  expect(JSON.parse((await schema("show", "peers", "--json")).stdout)).toMatchObject({
    rowCount: 1,
    conflict: "mtime-wins",
  });
});

test.each([
  ["add", "peers", "--columns", "id:date:pk"],
  ["add", "peers", "--columns", "id:text"],
  ["add", "Peers", "--columns", "id:text:pk"],
  ["add", "peers", "--columns", "id:text:pk", "--conflict", "any"],
  ["put", "peers", "n=x", "id=a"],
  ["put", "peers", "id"],
  ["put", "peers", "id=a", "key=0"],
  ["put", "peers", "id=a", "more={"],
  ["put", "peers", "n=1"],
  ["rows", "peers", "--where", "other=1"],
  ["remove", "peers"],
])("%j is bad use", async (...words) => {
  expect(await schema(...(words as string[]))).toMatchObject({ code: 2, stdout: "" });
});

test("tables that are not there", async () => {
  for (const words of [
    ["show", "none"],
    ["rows", "none"],
    ["put", "none", "id=a"],
    ["remove", "none"],
  ]) {
    expect(await schema(...words)).toMatchObject({ code: 1, stdout: "" });
  }
});

test("stock's rebuild keeps them", async () => {
  const before = (await schema("rows", "peers", "-a")).stdout;
  for (const stock of stocks()) {
    stock.okSync(["rebuild", folder.join("r.fossil")]);
    expect((await schema("rows", "peers", "-a")).stdout).toBe(before);
  }
  expect(await schema("remove", "peers", "--force")).toMatchObject({ code: 0 });
  expect(await schema("show", "peers")).toMatchObject({ code: 1 });
});
