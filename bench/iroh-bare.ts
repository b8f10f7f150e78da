/** Round trips on bare streams of the iroh addon, between two processes: what nothing on top of it can be quicker than. */
import { loadIroh } from "../src/iroh-addon.ts";

const ALPN = [...new TextEncoder().encode("/bare/1")];
const ADDRESS = "127.0.0.1:0";

async function bind() {
  const { Endpoint, RelayMode, presetMinimal } = await loadIroh();
  const builder = Endpoint.builder();
  presetMinimal(builder);
  builder.relayMode(RelayMode.disabled());
  builder.alpns([ALPN]);
  builder.bindAddr(ADDRESS);
  return builder.bind();
}

/** Answers every stream of one connection. @returns the ticket by which it is found */
export async function answerBare(answer: (request: readonly number[]) => number[]): Promise<string> {
  const { EndpointTicket } = await loadIroh();
  const endpoint = await bind();
  void (async () => {
    const incoming = await endpoint.acceptNext();
    const connection = await (await incoming!.accept()).connect();
    for (;;) {
      const { send, recv } = await connection.acceptBi();
      void (async () => {
        const request = await recv.readToEnd(65_536);
        await send.writeAll(answer(request));
        await send.finish();
      })();
    }
  })().catch(() => {});
  return EndpointTicket.fromAddr(endpoint.addr()).toString();
}

/** @returns what sends a request on a stream of its own and reads the reply */
export async function askBare(ticket: string) {
  const { EndpointTicket } = await loadIroh();
  const endpoint = await bind();
  const connection = await endpoint.connect(EndpointTicket.fromString(ticket).endpointAddr(), ALPN);
  return {
    async ask(request: number[]): Promise<number[]> {
      const { send, recv } = await connection.openBi();
      await send.writeAll(request);
      await send.finish();
      return recv.readToEnd(65_536);
    },
    close: () => endpoint.close(),
  };
}
