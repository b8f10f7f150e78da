/**
 * What an HTTP client hears that is turned away because too many are served: an `error` card, in a reply with status
 * 200, of which alone stock clients show the text.
 *
 * At the first page of a clone stock ignores errors, goes on as if the page had been empty, and ends with an empty
 * clone and status 0. It asks for the page again if the reply names the project, as the reply to a clone without the
 * right to it does. Then it is served, or shows the error and ends with status 1.
 */
import { concat } from "./bytes.ts";
import type { Clock } from "./clock.ts";
import { EdgeSyncError, type LimitError } from "./errors.ts";
import { errorMessage } from "./sync-server.ts";
import type { HttpExchangeReply } from "./transport-http-reply.ts";
import type { HttpExchange } from "./transport-http-server.ts";
import { MessageWriter } from "./xfer-format.ts";
import { decodeMessage, encodeMessage } from "./xfer-message.ts";
import { CardReader } from "./xfer-parse.ts";

/** Larger requests ask for no page of a clone: theirs are a few cards. */
const CLONE_REQUEST_MAX_BYTES = 4_096;
const CLONE_MESSAGE_MAX_BYTES = 16_384;
const FIRST_SEQUENCE = 1;

export type ClonePage = "first" | "later";

/** Which page of a clone a request asks for, if any. */
export function clonePageOf({ body, contentType }: HttpExchange): ClonePage | undefined {
  if (body.length > CLONE_REQUEST_MAX_BYTES) return undefined;
  try {
    const { message } = decodeMessage(body, contentType, { messageMaxBytes: CLONE_MESSAGE_MAX_BYTES });
    for (const card of new CardReader(message, "client")) {
      if (card.type === "clone")
        return (card.sequence ?? FIRST_SEQUENCE) <= FIRST_SEQUENCE ? "first" : "later";
    }
  } catch (error) {
    if (!(error instanceof EdgeSyncError)) throw error;
  }
  return undefined;
}

/** The reply that turns `request` away. `projectCode` is asked for when a clone begins. */
export async function refusal(
  request: HttpExchange,
  why: LimitError,
  projectCode: () => Promise<string>,
  clock: Clock,
): Promise<HttpExchangeReply> {
  const head = new MessageWriter();
  if (clonePageOf(request) === "first") {
    head.card({ type: "push", serverCode: "x", projectCode: (await projectCode()) as never });
  }
  const message = concat([head.finish(), errorMessage(why, clock)]);
  return { status: 200, ...encodeMessage(message, "raw") };
}
