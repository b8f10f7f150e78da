/**
 * The sockets of `broker-socket` on Bun's TCP. `Bun.Socket.write` takes what the system takes and returns the
 * count. TLS begins after plain bytes were exchanged, as NATS wants it: `upgradeTLS` gives a second socket object
 * for the plain side; the first one goes on reporting ciphertext, which is passed over.
 */
import type { Socket, TCPSocketListener } from "bun";
import type { BrokerSocket, SocketEvents, SocketNetwork, TlsSettings } from "./broker-socket.ts";
import { ProtocolError } from "./errors.ts";
import { listenFailure } from "./listen-address.ts";

const NO_EVENTS: SocketEvents = { onData() {}, onDrain() {}, onClose() {} };

class TcpSocket implements BrokerSocket {
  events: SocketEvents = NO_EVENTS;
  private secured = false;
  private closed = false;
  private failTls: ((error: Error) => void) | undefined;
  readonly remoteAddress: string;
  readonly remotePort: number;

  constructor(
    private socket: Socket<unknown>,
    private readonly isServer: boolean,
  ) {
    this.remoteAddress = socket.remoteAddress;
    this.remotePort = socket.remotePort;
  }

  write(bytes: Uint8Array): number {
    return this.closed ? bytes.length : Math.max(0, this.socket.write(bytes));
  }

  pause(): void {
    if (!this.closed) this.socket.pause();
  }

  resume(): void {
    if (!this.closed) this.socket.resume();
  }

  end(): void {
    if (!this.closed) this.socket.end();
  }

  terminate(): void {
    if (!this.closed) this.socket.terminate();
  }

  rawData(chunk: Uint8Array): void {
    if (!this.secured) this.events.onData(chunk);
  }

  drained(): void {
    if (!this.closed) this.events.onDrain();
  }

  finish(): void {
    if (this.closed) return;
    this.closed = true;
    this.failTls?.(new ProtocolError("nats-tls", "the connection closed during the TLS handshake"));
    this.events.onClose();
  }

  startTls(tls: TlsSettings): Promise<void> {
    this.secured = true;
    const authorities = this.isServer ? tls.clientCa : tls.ca;
    return new Promise((resolve, reject) => {
      this.failTls = reject;
      const options = {
        isServer: this.isServer,
        tls: {
          ...(tls.key === undefined ? {} : { key: tls.key }),
          ...(tls.cert === undefined ? {} : { cert: tls.cert }),
          ...(authorities === undefined ? {} : { ca: authorities }),
          ...(tls.serverName === undefined ? {} : { serverName: tls.serverName }),
          // A client checks the server's certificate; a server asks for the client's only in order to check it.
          rejectUnauthorized: !this.isServer || tls.clientCa !== undefined,
          requestCert: this.isServer && tls.clientCa !== undefined,
        },
        socket: {
          handshake: (_: Socket<unknown>, done: boolean, error: Error | null) => {
            this.failTls = undefined;
            if (done && (error === null || (this.isServer && tls.clientCa === undefined))) return resolve();
            reject(new ProtocolError("nats-tls", `the TLS handshake failed: ${error?.message ?? "refused"}`));
          },
          data: (_: Socket<unknown>, chunk: Uint8Array) => this.events.onData(chunk),
          drain: () => this.drained(),
          close: () => this.finish(),
          error: () => {},
        },
      };
      this.socket = this.socket.upgradeTLS(options)[1];
    });
  }
}

const handlers = (created: (socket: TcpSocket) => void, isServer: boolean) => ({
  binaryType: "uint8array" as const,
  open(socket: Socket<TcpSocket | undefined>) {
    socket.data = new TcpSocket(socket, isServer);
    created(socket.data);
  },
  data(socket: Socket<TcpSocket | undefined>, chunk: Uint8Array) {
    socket.data?.rawData(chunk);
  },
  drain(socket: Socket<TcpSocket | undefined>) {
    socket.data?.drained();
  },
  close(socket: Socket<TcpSocket | undefined>) {
    socket.data?.finish();
  },
  error() {},
});

export const bunNetwork: SocketNetwork = {
  listen(address, accept) {
    let server: TCPSocketListener<TcpSocket | undefined>;
    try {
      server = Bun.listen<TcpSocket | undefined>({
        hostname: address.host,
        port: address.port,
        socket: handlers((socket) => {
          socket.events = accept(socket);
        }, true),
      });
    } catch (cause) {
      throw listenFailure(address, cause);
    }
    return { host: address.host, port: server.port, close: () => server.stop(false) };
  },

  async connect(address, opened, signal) {
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    const connecting = Bun.connect<TcpSocket | undefined>({
      hostname: address.host,
      port: address.port,
      data: undefined,
      socket: handlers((socket) => {
        if (signal.aborted) socket.terminate();
        else socket.events = opened(socket);
      }, false),
    });
    await Promise.race([connecting, aborted]);
  },
};
