import { once } from "node:events";
import { connect, createServer } from "node:net";

/**
 * Runs something while no other process of this machine runs it under the same name; waits for its turn.
 *
 * The lock is a listening socket in Linux's abstract namespace: the kernel lets one process have it, and takes it away when that process
 * ends, however it ends. Who waits is connected to it, and so hears of the end.
 */
export async function withLock(name, { onWait = () => {} }, run) {
  const path = `\0wfe-containerd-${name}`;
  let server = await tryListen(path);
  if (server === undefined) onWait();
  for (; server === undefined; server = await tryListen(path)) {
    // Not once(): it rejects for an error, and a reset is only another way to hear of the end.
    await new Promise((resolve) => connect(path).on("error", resolve).on("close", resolve).resume());
  }
  try {
    return await run();
  } finally {
    server.close();
    for (const socket of server.waiting) socket.destroy();
  }
}

/** Undefined while another process listens there. */
async function tryListen(path) {
  const waiting = new Set();
  const server = createServer((socket) => {
    waiting.add(socket.on("error", () => {}).once("close", () => waiting.delete(socket)));
  });
  server.listen(path);
  try {
    await once(server, "listening");
  } catch (error) {
    if (error.code === "EADDRINUSE") return undefined;
    throw error;
  }
  return Object.assign(server, { waiting });
}
