import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface Pair {
  readonly cert: string;
  readonly key: string;
}

export interface Certificates extends AsyncDisposable {
  readonly directory: string;
  readonly authority: Pair;
  /** For `daemon.test` and 127.0.0.1. */
  readonly server: Pair;
  readonly client: Pair;
  /** Self-signed. */
  readonly stranger: Pair;
  path(name: "authority" | "server" | "client" | "stranger", part: keyof Pair): string;
}

/** Makes certificates of a test authority with openssl. They are valid for one day. */
export async function createCertificates(): Promise<Certificates> {
  const directory = await mkdtemp(join(tmpdir(), "certificates-"));
  const path = (name: string, part: keyof Pair): string => join(directory, `${name}.${part}`);

  async function make(name: string, ...extra: string[]): Promise<Pair> {
    const key = path(name, "key");
    const cert = path(name, "cert");
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    await run("openssl", [
      "req",
      "-x509",
      ...curve,
      "-days",
      "1",
      "-subj",
      `/CN=${name}`,
      "-keyout",
      key,
      "-out",
      cert,
      ...extra,
    ]);
    return { cert: await readFile(cert, "utf8"), key: await readFile(key, "utf8") };
  }

  const authority = await make("authority");
  const signed = ["-CA", path("authority", "cert"), "-CAkey", path("authority", "key")];
  const leaf = ["-addext", "basicConstraints=critical,CA:FALSE", ...signed];
  return {
    directory,
    authority,
    server: await make("server", "-addext", "subjectAltName=DNS:daemon.test,IP:127.0.0.1", ...leaf),
    client: await make("client", ...leaf),
    stranger: await make("stranger"),
    path,
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  };
}
