import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import type { Certificate } from "./certificates.js";

const run = promisify(execFile);

export interface StartRegistryOptions {
  /** Serve HTTPS with this certificate. With `clientCaFile`, clients need a certificate of that authority. */
  readonly tls?: Certificate & { readonly clientCaFile?: string };
  /** Ask clients for this password, with Basic authentication. */
  readonly password?: { readonly username: string; readonly password: string };
  /** Ask clients for a token that this service has signed. */
  readonly token?: {
    readonly realm: string;
    readonly service: string;
    readonly issuer: string;
    readonly certFile: string;
  };
}

/** Debian's docker-registry on loopback, with its own directory. */
export interface TestRegistry extends AsyncDisposable {
  /** The first part of references, for example `127.0.0.1:37713`. */
  readonly host: string;
  readonly origin: string;
  readonly options: StartRegistryOptions;
  /** Kills the registry at once. Its data is kept. */
  kill(): Promise<void>;
  /** Starts a killed registry again, on the same port. */
  restart(): Promise<void>;
}

/** Starts a registry on a port that the kernel chooses. */
export async function startRegistry(options: StartRegistryOptions = {}): Promise<TestRegistry> {
  const directory = await mkdtemp(join(tmpdir(), "registry-"));
  const { tls, password, token } = options;
  const configFile = join(directory, "config.yml");
  let address = "127.0.0.1:0";
  let child: ChildProcess;

  if (password !== undefined) {
    await writeFile(join(directory, "htpasswd"), `${password.username}:${await bcrypt(password.password)}\n`);
  }

  async function start(): Promise<void> {
    const config = {
      version: "0.1",
      log: { level: "info", accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: join(directory, "data") }, delete: { enabled: true } },
      http: {
        addr: address,
        ...(tls !== undefined && {
          tls: {
            certificate: tls.certFile,
            key: tls.keyFile,
            ...(tls.clientCaFile !== undefined && { clientcas: [tls.clientCaFile] }),
          },
        }),
      },
      ...(password !== undefined && {
        auth: { htpasswd: { realm: "test", path: join(directory, "htpasswd") } },
      }),
      ...(token !== undefined && {
        auth: {
          token: {
            realm: token.realm,
            service: token.service,
            issuer: token.issuer,
            rootcertbundle: token.certFile,
          },
        },
      }),
    };
    // JSON is YAML.
    await writeFile(configFile, JSON.stringify(config));
    child = spawn("docker-registry", ["serve", configFile], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env["PATH"] },
    });
    const log: string[] = [];
    const failed = once(child, "error").then(([reason]) => {
      throw new Error("there is no docker-registry: apt-get install docker-registry", { cause: reason });
    });
    const ended = once(child, "close").then(() => {
      throw new Error(`docker-registry did not start: ${log.slice(-5).join("\n")}`);
    });
    const listening = new Promise<void>((resolve) => {
      for (const stream of [child.stdout, child.stderr]) {
        if (stream === null) continue;
        createInterface({ input: stream }).on("line", (line) => {
          log.push(line);
          const port = /listening on (?:127\.0\.0\.1|\[::\]):(\d+)/.exec(line)?.[1];
          if (port === undefined) return;
          address = `127.0.0.1:${port}`;
          resolve();
        });
      }
    });
    for (const other of [failed, ended]) other.catch(() => undefined);
    await Promise.race([listening, failed, ended]);
  }

  async function kill(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, "close");
    child.kill("SIGKILL");
    await closed;
  }

  await start();
  return {
    host: address,
    origin: `${tls === undefined ? "http" : "https"}://${address}`,
    options,
    kill,
    restart: start,
    async [Symbol.asyncDispose]() {
      await kill();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export interface PutImageOptions {
  /** More arguments for skopeo: `--format v2s2`, `--all`. */
  readonly args?: readonly string[];
  /** Push to this host instead of the registry's own, for example to a proxy. */
  readonly host?: string;
  readonly credential?: { readonly username: string; readonly password: string };
}

/** Pushes the image of an OCI archive to a registry with skopeo. */
export async function putImage(
  registry: TestRegistry,
  name: string,
  archive: Uint8Array,
  options: PutImageOptions = {},
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "image-"));
  try {
    const file = join(directory, "image.tar");
    await writeFile(file, archive);
    const { username, password } = options.credential ?? registry.options.password ?? {};
    await run("skopeo", [
      "copy",
      "--insecure-policy",
      "--quiet",
      "--dest-tls-verify=false",
      ...(username === undefined ? [] : ["--dest-creds", `${username}:${password}`]),
      ...(options.args ?? []),
      `oci-archive:${file}`,
      `docker://${options.host ?? registry.host}/${name}`,
    ]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** docker-registry accepts only bcrypt hashes. Perl, part of every Debian, makes them with libcrypt. */
async function bcrypt(password: string): Promise<string> {
  const script = `chomp(my $p = <STDIN>); print crypt($p, '$2y$05$' . join '', map { ('a'..'z')[rand 26] } 1..22)`;
  const hashing = run("perl", ["-e", script]);
  hashing.child.stdin?.end(`${password}\n`);
  return (await hashing).stdout;
}
