/**
 * Sockets as the broker sees them, so that a simulator can put its own in their place.
 *
 * A socket buffers nothing: `write` returns how many bytes it took, of which it keeps no view, and `onDrain` says when to go on. `end` closes
 * after what was taken has left; `terminate` closes at once. After either, or when the peer closes, `onClose` is
 * called exactly once. Chunks passed to `onData` belong to the receiver.
 */
export interface SocketEvents {
  onData(chunk: Uint8Array): void;
  onDrain(): void;
  onClose(): void;
}

export interface BrokerSocket {
  readonly remoteAddress: string;
  readonly remotePort: number;
  write(bytes: Uint8Array): number;
  /** Nothing is read until `resume`: no data, and no end either. */
  pause(): void;
  resume(): void;
  end(): void;
  terminate(): void;
  /** From here on the bytes are TLS. Resolves when the handshake is done; events then carry plain bytes. */
  startTls(tls: TlsSettings): Promise<void>;
}

/**
 * PEM texts. A server needs `key` and `cert`; a client `ca` (the system's authorities without it) and `serverName`, and
 * `key` and `cert` where the server asks who it is.
 */
export interface TlsSettings {
  readonly key?: string;
  readonly cert?: string;
  readonly ca?: string;
  /** On a server: clients must have a certificate that one of these authorities signed. Without it none is asked for. */
  readonly clientCa?: string;
  readonly serverName?: string;
}

export interface SocketListener {
  readonly host: string;
  readonly port: number;
  /** Accepts no more; sockets that are open stay. */
  close(): void;
}

export interface SocketNetwork {
  /** @throws Error when the address is taken or not ours */
  listen(
    address: { host: string; port: number },
    accept: (socket: BrokerSocket) => SocketEvents,
  ): SocketListener;
  /** Connects; rejects when that fails or `signal` is aborted first. */
  connect(
    address: { host: string; port: number },
    opened: (socket: BrokerSocket) => SocketEvents,
    signal: AbortSignal,
  ): Promise<void>;
}
