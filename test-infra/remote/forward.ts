import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";

/** A port of this machine's loopback behind which another network namespace's is, as a VM's is behind its host's forwarded port. */
export interface Forward {
  readonly port: number;
  /** Cuts the connections that are open now; new ones are taken. */
  cut(): void;
  close(): Promise<void>;
}

/** @param pid a process in the other network namespace */
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
    // Either end may go first, and takes the other with it.
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
