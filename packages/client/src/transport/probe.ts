import { stat } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Address } from "./address.js";
import { secure } from "./socket.js";
import type { TlsContext } from "./tls.js";

/** What was found at a daemon's address. */
export type Finding =
  | { readonly kind: "http2" | "http1" | "tls" | "silent" | "closes" | "other" }
  /**
   * The socket cannot be opened, or the TLS handshake failed. `isTls`: the socket was opened, so TLS failed.
   */
  | { readonly kind: "error"; readonly code: string; readonly message: string; readonly isTls: boolean };

const PATIENCE_MS = 1_000;

export interface ProbeOptions {
  /**
   * How long to wait for each of connection, TLS handshake and first bytes, in milliseconds. Default 1000.
   */
  readonly patienceMs?: number;
  /** Ends the probe early. */
  readonly signal?: AbortSignal;
}

/** The start of every HTTP/2 connection: a fixed text, and an empty SETTINGS frame. */
const PREFACE = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);
const SETTINGS = 4;
const TLS_ALERT = 21;

/**
 * Connects again without grpc-js, to find out why grpc-js failed: its own message does not tell the cause.
 */
export async function probe(
  address: Address,
  tls: TlsContext | undefined,
  { patienceMs = PATIENCE_MS, signal }: ProbeOptions = {},
): Promise<Finding> {
  const { socketPath, host, port } = address;
  const socket = socketPath === undefined ? connect({ host, port }) : connect(socketPath);
  const giveUp = (): void => void socket.destroy();
  const late = setTimeout(giveUp, patienceMs);
  signal?.addEventListener("abort", giveUp, { once: true });
  let isOpen = false;
  try {
    await opened(socket);
    isOpen = true;
    late.refresh();
    const speaking = tls === undefined ? socket : await secure(socket, address, tls);
    clearTimeout(late);
    const finding = await firstWords(speaking, patienceMs);
    if (tls !== undefined || address.isLocal || finding.kind !== "closes") return finding;
    return (await speaksTls(address, patienceMs)) ? { kind: "tls" } : finding;
  } catch (reason) {
    const { code = "", message } = reason as NodeJS.ErrnoException;
    const isFile = code === "ECONNREFUSED" && socketPath !== undefined && (await isPlainFile(socketPath));
    return { kind: "error", code: isFile ? "ENOTSOCK" : code, message, isTls: isOpen };
  } finally {
    clearTimeout(late);
    signal?.removeEventListener("abort", giveUp);
    socket.destroy();
  }
}

/** The kernel gives the same error for a plain file as for a socket without a listener. */
async function isPlainFile(path: string): Promise<boolean> {
  // A daemon that restarts removes its socket, maybe between the connection attempt and this check.
  return stat(path).then(
    (status) => !status.isSocket(),
    () => false,
  );
}

async function opened(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
    socket.once("close", () => reject(Object.assign(new Error("no answer"), { code: "ETIMEDOUT" })));
  });
}

async function firstWords(socket: Socket, patienceMs: number): Promise<Finding> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => resolve({ kind: "silent" }), patienceMs);
    socket.once("data", (bytes) => resolve({ kind: recognize(bytes) }));
    socket.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNRESET" || error.code === "EPIPE") resolve({ kind: "closes" });
      else reject(error);
    });
    socket.once("close", () => {
      clearTimeout(late);
      resolve({ kind: "closes" });
    });
    socket.write(PREFACE);
  });
}

function recognize(bytes: Buffer): "http2" | "http1" | "tls" | "other" {
  if (bytes.length >= 9 && bytes[3] === SETTINGS && bytes.readUInt32BE(5) === 0) return "http2";
  if (bytes.subarray(0, 5).equals(Buffer.from("HTTP/"))) return "http1";
  return bytes[0] === TLS_ALERT && bytes[1] === 3 ? "tls" : "other";
}

/** Whether a server that closed a plain connection starts a TLS handshake. No data is sent. */
async function speaksTls({ host, port }: Address, patienceMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTls({ host, port, rejectUnauthorized: false, ALPNProtocols: ["h2"] });
    const late = setTimeout(() => socket.destroy(), patienceMs);
    const settle = (answer: boolean): void => {
      clearTimeout(late);
      socket.destroy();
      resolve(answer);
    };
    socket.once("secureConnect", () => settle(true));
    // An alert is also TLS: the server may require a client certificate.
    socket.once("error", (error) => settle(/alert/i.test(error.message)));
    socket.once("close", () => settle(false));
  });
}
