/**
 * The trace context of a request (W3C Trace Context, level 1), by which the logs of both sides can be put together. All
 * requests of a sync have one trace, each is a span of its own:
 *
 *     traceparent: 00-TRACE-SPAN-00       TRACE 32, SPAN 16 lower-case hex digits, neither all zeros
 *
 * Nothing is recorded anywhere else, hence the flags. A version above 00 is read as far as it looks the same.
 */
export const TRACE_HEADER = "traceparent";

/** @param span counts the requests of the trace, from 1 */
export function formatTraceparent(traceId: string, span: number): string {
  return `00-${traceId}-${span.toString(16).padStart(16, "0")}-00`;
}

/** The trace that a header tells of; undefined for anything else than a trace context. */
export function parseTraceparent(header: string | undefined): string | undefined {
  const match = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:$|-)/.exec(header ?? "");
  if (match === null || /^0+$/.test(match[1]!) || /^0+$/.test(match[2]!)) return undefined;
  return match[1];
}
