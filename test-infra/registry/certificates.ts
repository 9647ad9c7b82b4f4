import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A certificate and its key: as files for programs, as text for tests. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority that only the tests use. */
export interface Authority extends AsyncDisposable {
  readonly certFile: string;
  readonly cert: string;
  /** Issues a certificate for 127.0.0.1 and localhost, for servers and clients. Default: with an EC key. */
  issue(name: string, kind?: "ec" | "rsa"): Promise<Certificate>;
}

export async function createAuthority(): Promise<Authority> {
  const directory = await mkdtemp(join(tmpdir(), "authority-"));
  const path = (name: string): string => join(directory, name);
  const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const own = { certFile: path("ca.crt"), keyFile: path("ca.key") };
  await openssl(
    "req",
    "-x509",
    ...ec,
    "-keyout",
    own.keyFile,
    "-out",
    own.certFile,
    "-days",
    "2",
    "-subj",
    "/CN=Test Authority",
  );

  return {
    certFile: own.certFile,
    cert: await readFile(own.certFile, "utf8"),
    async issue(name, kind = "ec") {
      const key = kind === "ec" ? ec : ["-newkey", "rsa:2048", "-nodes"];
      const [certFile, keyFile, request, extensions] = ["crt", "key", "csr", "ext"].map((kind) =>
        path(`${name}.${kind}`),
      ) as [string, string, string, string];
      await writeFile(
        extensions,
        "subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\nbasicConstraints=CA:FALSE\n",
      );
      await openssl("req", "-new", ...key, "-keyout", keyFile, "-out", request, "-subj", `/CN=${name}`);
      const by = ["-CA", own.certFile, "-CAkey", own.keyFile, "-CAcreateserial", "-extfile", extensions];
      await openssl("x509", "-req", "-in", request, ...by, "-out", certFile, "-days", "2");
      return {
        certFile,
        keyFile,
        cert: await readFile(certFile, "utf8"),
        key: await readFile(keyFile, "utf8"),
      };
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

async function openssl(...args: string[]): Promise<void> {
  await run("openssl", args);
}
