import { localBroker, serveNats, transportOver } from "./nats-harness.ts";
import { transportContract } from "./transport-contract.ts";

for (const maxPayload of [1_048_576, 4_096]) {
  transportContract(`nats, embedded broker, max_payload ${maxPayload}`, async (serve) => {
    const broker = localBroker(maxPayload);
    const server = serveNats(broker.link(), serve);
    return {
      transport: transportOver(broker.link()),
      async close() {
        await server.stop();
        await broker.stop();
      },
    };
  });
}
