/** `bun nats-flood.ts PORT BYTES COUNT`: publishes messages on the subject `flood`, and ends when the server has them all. */
import { connect } from "node:net";

const [port, bytes, count] = process.argv.slice(2).map(Number) as [number, number, number];
const message = `PUB flood ${bytes}\r\n${"x".repeat(bytes)}\r\n`;
const socket = connect(port, "127.0.0.1");
socket.write('CONNECT {"verbose":false}\r\n');
for (let i = 0; i < count; i++) socket.write(message);
socket.write("PING\r\n");
socket.on("data", (chunk) => {
  if (chunk.includes("PONG")) process.exit(0);
});
socket.on("close", () => process.exit(1));
