import { isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { CallCredentials, ChannelCredentials } from "@grpc/grpc-js";
import type { Address } from "./address.js";
import type { TlsContext } from "./tls.js";

/** The sockets of one channel: usually one, or none while it is not connected. */
export interface Sockets {
  add(socket: Socket): void;
  /** Bytes received over all its sockets so far. */
  readonly bytesRead: number;
  /** How many of its sockets have been closed so far, by either side. */
  readonly closed: number;
  /** Closes all sockets immediately; data in transit is lost. */
  destroy(): void;
}

export function createSockets(): Sockets {
  const open = new Set<Socket>();
  let readBefore = 0;
  let closed = 0;
  return {
    add(socket) {
      open.add(socket);
      socket.once("close", () => {
        open.delete(socket);
        closed++;
        readBefore += socket.bytesRead;
      });
    },
    get bytesRead() {
      return [...open].reduce((sum, socket) => sum + socket.bytesRead, readBefore);
    },
    get closed() {
      return closed;
    },
    destroy() {
      for (const socket of open) socket.destroy();
    },
  };
}

/**
 * Starts TLS on a connected socket. Rejects if one side does not trust the other. With TLS 1.3, a rejection
 * by the daemon arrives only later.
 */
export async function secure(
  socket: Socket,
  { host }: Address,
  { secureContext, serverName }: TlsContext,
): Promise<TLSSocket> {
  // An IP address must not be sent as server name, but the certificate is still checked against it.
  const servername = serverName ?? (isIP(host) === 0 ? host : undefined);
  return new Promise((resolve, reject) => {
    const tls = connectTls({
      socket,
      host,
      secureContext,
      ALPNProtocols: ["h2"],
      ...(servername !== undefined && { servername }),
    });
    tls.once("error", reject);
    tls.once("close", () => reject(new Error("the server closed the connection during the TLS handshake")));
    tls.once("secureConnect", () => {
      tls.removeAllListeners("close");
      tls.off("error", reject);
      resolve(tls);
    });
  });
}

type SecureConnector = ReturnType<ChannelCredentials["_createSecureConnector"]>;

/**
 * Credentials for grpc-js that record the channel's sockets, which grpc-js does not expose. Without them, a
 * daemon that does not answer would keep a closed client's process running, and a broken connection could not
 * be closed.
 */
export class SocketCredentials extends ChannelCredentials {
  readonly #address: Address;
  readonly #tls: TlsContext | undefined;
  readonly #sockets: Sockets;

  constructor(address: Address, tls: TlsContext | undefined, sockets: Sockets) {
    super();
    this.#address = address;
    this.#tls = tls;
    this.#sockets = sockets;
  }

  override _isSecure(): boolean {
    return this.#tls !== undefined;
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(): SecureConnector {
    return {
      connect: async (socket) => {
        this.#sockets.add(socket);
        if (this.#tls === undefined) return { socket, secure: false };
        return { socket: await secure(socket, this.#address, this.#tls), secure: true };
      },
      waitForReady: async () => undefined,
      getCallCredentials: () => CallCredentials.createEmpty(),
      destroy: () => undefined,
    };
  }
}
