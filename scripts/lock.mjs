import { once } from "node:events";
import { connect, createServer } from "node:net";

/**
 * Runs a function while no other process on this machine runs one under the same name. Waits for its turn.
 *
 * The lock is a listening socket in Linux's abstract namespace. The kernel gives the name to one process at a
 * time, and frees it when that process ends in any way. A waiting process connects to the socket; the end of
 * the connection tells it that the lock may be free.
 */
export async function withLock(name, { onWait = () => {} }, run) {
  const path = `\0wfe-containerd-${name}`;
  let server = await tryListen(path);
  if (server === undefined) onWait();
  for (; server === undefined; server = await tryListen(path)) {
    // Not once(): it rejects on an error, and a reset is just another sign that the other process ended.
    await new Promise((resolve) => connect(path).on("error", resolve).on("close", resolve).resume());
  }
  try {
    return await run();
  } finally {
    server.close();
    for (const socket of server.waiting) socket.destroy();
  }
}

/** @returns Undefined while another process has the lock. */
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
