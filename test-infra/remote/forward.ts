import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";

/**
 * A port on this machine's loopback that leads to a port in another network namespace, like a VM's port on
 * its host.
 */
export interface Forward {
  readonly port: number;
  /** Cuts the open connections. New connections are accepted. */
  cut(): void;
  close(): Promise<void>;
}

/** @param pid a process in the other network namespace. */
export async function forward(pid: number, port: number): Promise<Forward> {
  const open = new Set<() => void>();
  const server = createServer((socket: Socket) => {
    const inside = ["socat", "STDIO", `TCP4:127.0.0.1:${port}`];
    const relay = spawn("nsenter", ["--target", String(pid), "--net", "--", ...inside], {
      stdio: ["pipe", "pipe", "ignore"],
    });
    const cut = (): void => {
      open.delete(cut);
      socket.destroy();
      relay.kill("SIGKILL");
    };
    open.add(cut);
    // When one end closes, the other end is closed too.
    for (const stream of [socket, relay.stdin, relay.stdout]) stream.on("error", cut);
    socket.on("close", cut);
    relay.on("close", cut);
    socket.pipe(relay.stdin);
    relay.stdout.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cutAll = (): void => {
    for (const cut of [...open]) cut();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut: cutAll,
    async close() {
      const closed = once(server, "close");
      server.close();
      cutAll();
      await closed;
    },
  };
}
