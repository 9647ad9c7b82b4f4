import { once } from "node:events";
import { createServer, request as sendRequest } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";

/** An HTTP proxy like a company's: it tunnels with CONNECT, and forwards requests for plain HTTP. */
export interface ForwardProxy extends AsyncDisposable {
  readonly origin: string;
  /** In order, for example `CONNECT registry.test:5000`, `GET http://registry.test:5000/v2/…`. */
  readonly requests: readonly string[];
}

/**
 * Starts a proxy that connects to loopback, whatever host a client names.
 *
 * @param password what clients must send, as `user:password`. Default: no password.
 */
export async function startForwardProxy(password?: string): Promise<ForwardProxy> {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const wanted = password === undefined ? undefined : `Basic ${Buffer.from(password).toString("base64")}`;
  const loopback = "127.0.0.1";

  const server = createServer((request, response) => {
    const { method = "", url = "", headers } = request;
    requests.push(`${method} ${url}`);
    if (headers["proxy-authorization"] !== wanted) return void response.writeHead(407).end();
    const { port, pathname, search } = new URL(url);
    const forwarded = sendRequest({ host: loopback, port, path: pathname + search, method, headers });
    forwarded.on("error", () => response.destroy());
    forwarded.on("response", (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    request.pipe(forwarded);
  });
  server.on("connect", ({ url = "", headers }, socket: Socket) => {
    requests.push(`CONNECT ${url}`);
    if (headers["proxy-authorization"] !== wanted) return void socket.end("HTTP/1.1 407 Who are you\r\n\r\n");
    const upstream = connect(Number(url.split(":").at(-1)), loopback, () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      upstream.pipe(socket).pipe(upstream);
    });
    for (const each of [socket, upstream]) {
      sockets.add(each);
      each.on("error", () => undefined);
      each.on("close", () => {
        sockets.delete(each);
        socket.destroy();
        upstream.destroy();
      });
    }
  });
  server.listen(0, loopback);
  await once(server, "listening");
  return {
    origin: `http://${loopback}:${(server.address() as AddressInfo).port}`,
    requests,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
