import { expect, test } from "bun:test";
import { utf8 } from "../src/bytes.ts";
import { RepoError } from "../src/errors.ts";
import { MemoryTransport } from "../src/transport-memory.ts";
import { failure, transportContract } from "./transport-contract.ts";

transportContract("memory", async (serve) => ({
  transport: new MemoryTransport("memory:peer", serve),
  close: async () => {},
}));

test("tells what the peer says of its failure, and nothing of a defect", async () => {
  const failing = (error: Error) =>
    failure(
      new MemoryTransport("the peer", () => {
        throw error;
      }).exchange(utf8("x")),
    );
  const known = await failing(new RepoError("repo-locked", "x.fossil is locked"));
  expect([known.code, known.message]).toEqual([
    "peer-failed",
    "the peer could not answer: x.fossil is locked",
  ]);
  expect((await failing(new Error("secret"))).message).toBe("the peer could not answer: internal error");
});
