import { expect, test } from "bun:test";
import { formatTraceparent, parseTraceparent } from "../src/nats-trace.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";

test("the requests of a trace are spans of it", () => {
  expect(formatTraceparent(TRACE, 1)).toBe(`00-${TRACE}-0000000000000001-00`);
  expect(formatTraceparent(TRACE, 255)).toBe(`00-${TRACE}-00000000000000ff-00`);
  expect(parseTraceparent(formatTraceparent(TRACE, 17))).toBe(TRACE);
});

test.each([
  ["another's", `00-${TRACE}-00f067aa0ba902b7-01`, TRACE],
  ["a later version", `cc-${TRACE}-00f067aa0ba902b7-01-what-the-future-will-be-like`, TRACE],
  ["absent", undefined, undefined],
  ["a version that is none", `ff-${TRACE}-00f067aa0ba902b7-01`, undefined],
  ["a trace of zeros", `00-${"0".repeat(32)}-00f067aa0ba902b7-01`, undefined],
  ["a span of zeros", `00-${TRACE}-${"0".repeat(16)}-01`, undefined],
  ["capital letters", `00-${TRACE.toUpperCase()}-00f067aa0ba902b7-01`, undefined],
  ["no flags", `00-${TRACE}-00f067aa0ba902b7`, undefined],
  ["something before it", ` 00-${TRACE}-00f067aa0ba902b7-01`, undefined],
  ["a line break in it", `00-${TRACE}-00f067aa0ba902b7-01\nx`, undefined],
])("%s", (_, header, trace) => {
  expect(parseTraceparent(header)).toBe(trace);
});
