import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type Certificates, createCertificates } from "../../test/certificates.js";
import { ContainerdError } from "../error.js";
import { checkCertificates } from "./certificate.js";
import { hostsFromDirectories } from "./hosts.js";

const REGISTRY = "a.example";
let certificates: Certificates;
let root: string;

beforeAll(async () => {
  certificates = await createCertificates();
});
afterAll(() => certificates[Symbol.asyncDispose]());
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "certs.d-"));
});
afterEach(() => rm(root, { recursive: true }));

/** The error for the files of a registry's directory; undefined if they are valid. */
async function problem(files: Readonly<Record<string, string>>, ca?: string): Promise<string | undefined> {
  await mkdir(join(root, REGISTRY), { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(join(root, REGISTRY, name), text);
  const hosts = await hostsFromDirectories({ directories: [root], ca })(REGISTRY);
  try {
    for (const { tls } of hosts) checkCertificates(tls);
    return undefined;
  } catch (reason) {
    expect(reason).toBeInstanceOf(ContainerdError);
    return (reason as ContainerdError).message;
  }
}

test("takes certificates and keys that can be read, with text around them", async () => {
  const { authority, client } = certificates;
  const bundle = `# ours\n${authority.cert}\n# and theirs\n${client.cert}`;
  const toml = 'ca = ["ca.pem"]\nclient = [["me.pem", "me.key"]]';
  expect(
    await problem({ "hosts.toml": toml, "ca.pem": bundle, "me.pem": client.cert, "me.key": client.key }),
  ).toBeUndefined();
});

test.each([
  [
    "not a certificate",
    /hosts\.toml: ca: the file .*\/ca\.pem is not a PEM certificate; allowed: certificates in PEM/,
  ],
  ["", /hosts\.toml: ca: the file .*\/ca\.pem is not a PEM certificate/],
  [
    "-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n",
    /hosts\.toml: ca: the file .*\/ca\.pem has a certificate that cannot be read/,
  ],
])("names the file and the field of a ca that is %j", async (contents, message) => {
  expect(await problem({ "hosts.toml": 'ca = "ca.pem"', "ca.pem": contents })).toMatch(message);
});

test("names a key in place of a certificate, and shows nothing of it", async () => {
  const { key } = certificates.client;
  const said = await problem({ "hosts.toml": 'ca = "ca.pem"', "ca.pem": key });
  expect(said).toMatch(/the file .*\/ca\.pem is not a PEM certificate/);
  for (const line of key.split("\n").filter((text) => text.length > 20 && !text.startsWith("-")))
    expect(said).not.toContain(line);
});

test("names each file of a client pair", async () => {
  const { client } = certificates;
  const toml = 'client = [["me.pem", "me.key"]]';
  expect(await problem({ "hosts.toml": toml, "me.pem": "x", "me.key": client.key })).toMatch(
    /hosts\.toml: client: the file .*\/me\.pem is not a PEM certificate/,
  );
  expect(await problem({ "hosts.toml": toml, "me.pem": client.cert, "me.key": "x" })).toMatch(
    /hosts\.toml: client: the file .*\/me\.key is not a private key that can be read; allowed: a PEM key, not encrypted/,
  );
});

test("names docker's files, and a ca that is given", async () => {
  expect(await problem({ "ca.crt": "x" })).toMatch(
    /\/a\.example\/ca\.crt: the file is not a PEM certificate/,
  );
  await rm(join(root, REGISTRY), { recursive: true });
  expect(await problem({}, "x")).toMatch(/^hosts\.ca is not a PEM certificate/);
});
