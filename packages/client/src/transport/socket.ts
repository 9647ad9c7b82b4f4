import { isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { CallCredentials, ChannelCredentials } from "@grpc/grpc-js";
import type { Address } from "./address.js";
import type { TlsContext } from "./tls.js";

/** The sockets of one channel: usually one, none while it is not connected. */
export interface Sockets {
  add(socket: Socket): void;
  /** Bytes that came in over them, ever. */
  readonly bytesRead: number;
  /** Ends them now, whatever is still on its way. */
  destroy(): void;
}

export function createSockets(): Sockets {
  const open = new Set<Socket>();
  let readBefore = 0;
  return {
    add(socket) {
      open.add(socket);
      socket.once("close", () => {
        open.delete(socket);
        readBefore += socket.bytesRead;
      });
    },
    get bytesRead() {
      return [...open].reduce((sum, socket) => sum + socket.bytesRead, readBefore);
    },
    destroy() {
      for (const socket of open) socket.destroy();
    },
  };
}

/** Speaks TLS over a connected socket. Rejects when either side does not trust the other; with TLS 1.3 the daemon says so only later. */
export async function secure(
  socket: Socket,
  { host }: Address,
  { secureContext, serverName }: TlsContext,
): Promise<TLSSocket> {
  // A name that is an address is not to be sent, but the certificate is still held against it.
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
    tls.once("close", () => reject(new Error("it closed the connection during the TLS handshake")));
    tls.once("secureConnect", () => {
      tls.removeAllListeners("close");
      tls.off("error", reject);
      resolve(tls);
    });
  });
}

type SecureConnector = ReturnType<ChannelCredentials["_createSecureConnector"]>;

/**
 * grpc-js's credentials that show the channel's sockets, which it keeps to itself otherwise: without them a daemon that does not answer
 * would hold a closed client open, and a cut connection could not be ended.
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
