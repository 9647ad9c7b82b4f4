import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * A registry that accepts pushes by the distribution spec, and keeps the part of an upload that came before a
 * cut. docker-registry does not keep it.
 */
export interface UploadServer extends AsyncDisposable {
  readonly host: string;
  readonly origin: string;
  /** The pushed blobs, by digest. */
  readonly blobs: ReadonlyMap<string, Buffer>;
  /** The pushed manifests, by tag or digest. */
  readonly manifests: ReadonlyMap<string, Buffer>;
  /** How many bytes it had of an upload, each time when it was asked. */
  readonly told: readonly number[];
}

export async function startUploadServer(): Promise<UploadServer> {
  const blobs = new Map<string, Buffer>();
  const manifests = new Map<string, Buffer>();
  const uploads = new Map<string, Buffer[]>();
  const told: number[] = [];
  /** The last request of each upload. The next one waits for it, so that all data before a cut is kept. */
  const under = new Map<string, Promise<unknown>>();
  let count = 0;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://server");
    const [, , repository, kind, name = "", id = ""] = url.pathname.split("/");
    const answer = (status: number, headers: Record<string, string> = {}): void =>
      void response.writeHead(status, headers).end();
    if (kind === "manifests") {
      manifests.set(name, Buffer.concat(await gather(request, [])));
      return answer(201);
    }
    if (name !== "uploads") return answer(blobs.has(name) ? 200 : 404);
    if (request.method === "POST") {
      uploads.set(String(++count), []);
      return answer(202, { location: `/v2/${repository}/blobs/uploads/${count}` });
    }
    const before = under.get(id) ?? Promise.resolve();
    const taking = before.then(() => takePart(request, url, id, answer));
    under.set(
      id,
      taking.catch(() => undefined),
    );
    await taking;
  }

  async function takePart(
    request: IncomingMessage,
    url: URL,
    id: string,
    answer: (status: number, headers?: Record<string, string>) => void,
  ): Promise<void> {
    const parts = uploads.get(id);
    if (parts === undefined) return answer(404);
    const size = (): number => parts.reduce((sum, part) => sum + part.byteLength, 0);
    const place = (): Record<string, string> => ({
      location: url.pathname,
      range: `0-${Math.max(size() - 1, 0)}`,
    });
    if (request.method === "GET") {
      told.push(size());
      return answer(204, place());
    }
    const start = /^(\d+)-/.exec(request.headers["content-range"] ?? "")?.[1];
    if (start !== undefined && Number(start) !== size()) return answer(416, place());
    await gather(request, parts);
    if (request.method === "PATCH") return answer(202, place());
    const digest = url.searchParams.get("digest") ?? "";
    const bytes = Buffer.concat(parts);
    if (digest !== `sha256:${createHash("sha256").update(bytes).digest("hex")}`) return answer(400);
    blobs.set(digest, bytes);
    uploads.delete(id);
    return answer(201, { "docker-content-digest": digest });
  }

  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    host,
    origin: `http://${host}`,
    blobs,
    manifests,
    told,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** Keeps each part at once, so that a cut loses only what comes after it. */
async function gather(request: IncomingMessage, parts: Buffer[]): Promise<Buffer[]> {
  for await (const part of request) parts.push(part as Buffer);
  return parts;
}
