/**
 * An HTTP server that does nothing, in a process of its own: what it needs to answer while the machine is busy
 * is the machine's share of every latency measured beside it. Prints its URL, ends when its input does.
 */
const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("ok\n") });
process.stdout.write(`${server.url}\n`);
for await (const _ of Bun.stdin.stream()) {
  // Held open by whoever started this.
}
process.exit(0);
