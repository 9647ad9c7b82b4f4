import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A TCP port that leads to a daemon's socket, and can be cut. */
export interface DaemonPath extends AsyncDisposable {
  readonly address: string;
  /** Cuts the connections. New ones are let through. */
  cut(): void;
  /** Cuts the connections, and all new ones until it is opened. */
  close(): void;
  /**
   * Lets nothing through until it is opened. Neither end is told. What connects meanwhile stays silent, as if
   * a firewall had forgotten it.
   */
  stall(): void;
  open(): void;
}

export async function startPath(socketPath: string): Promise<DaemonPath> {
  const sockets = new Set<Socket>();
  let state: "open" | "closed" | "stalled" = "open";
  const server = createServer((near) => {
    near.on("error", () => undefined);
    if (state === "closed") {
      near.destroy();
      return;
    }
    if (state === "stalled") {
      sockets.add(near);
      near.resume().once("close", () => sockets.delete(near));
      return;
    }
    const far = connect(socketPath);
    far.on("error", () => undefined);
    near.pipe(far).pipe(near);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.once("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    address: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    close() {
      state = "closed";
      cut();
    },
    stall() {
      state = "stalled";
      for (const socket of sockets) socket.cork();
    },
    open() {
      state = "open";
      for (const socket of sockets) socket.uncork();
    },
    async [Symbol.asyncDispose]() {
      cut();
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
}
