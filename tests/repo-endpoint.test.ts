import { afterEach, beforeEach, expect, test } from "bun:test";
import { allowEndpoint, allowedEndpoints, denyEndpoint, isEndpointAllowed } from "../src/repo-endpoint.ts";
import { ScratchRepo } from "./scratch-repo.ts";

const ANN = "a".repeat(64);
const BOB = "b".repeat(64);
let scratch: ScratchRepo;

beforeEach(() => {
  scratch = new ScratchRepo();
});

afterEach(() => scratch[Symbol.dispose]());

test("nobody is allowed at first, and looking makes no table", () => {
  const { repo } = scratch;
  expect(isEndpointAllowed(repo, ANN)).toBe(false);
  expect(allowedEndpoints(repo)).toEqual([]);
  expect(denyEndpoint(repo, ANN)).toBe(false);
  expect(repo.db.prepare("SELECT 1 FROM sqlite_schema WHERE name='fx_iroh_allow'").value()).toBeUndefined();
});

test("who is put on the list is allowed until taken off", () => {
  const { repo } = scratch;
  expect([allowEndpoint(repo, BOB), allowEndpoint(repo, ANN), allowEndpoint(repo, ANN)]).toEqual([
    true,
    true,
    false,
  ]);
  expect(allowedEndpoints(repo)).toEqual([ANN, BOB]);
  expect(denyEndpoint(repo, ANN)).toBe(true);
  expect([isEndpointAllowed(repo, ANN), isEndpointAllowed(repo, BOB)]).toEqual([false, true]);
});
