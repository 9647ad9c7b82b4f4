import { createPrivateKey } from "node:crypto";
import { inspect } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Certificates, createCertificates } from "../../test/certificates.js";
import { ContainerdError } from "../error.js";
import { parseAddress } from "./address.js";
import { createTlsContext, type TlsOptions } from "./tls.js";

const HTTPS = parseAddress("https://host:2500");
let certificates: Certificates;

beforeAll(async () => {
  certificates = await createCertificates();
});

afterAll(() => certificates[Symbol.asyncDispose]());

function refusal(tls: TlsOptions, address = HTTPS): string {
  try {
    createTlsContext(address, tls);
  } catch (error) {
    expect(error).toBeInstanceOf(ContainerdError);
    expect((error as ContainerdError).kind).toBe("invalid-argument");
    // No part of a key may appear, in any property of the error.
    for (const { key } of [certificates.client, certificates.stranger])
      for (const line of key.split("\n").filter((text) => text.length > 20 && !text.startsWith("-")))
        expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(line);
    return (error as ContainerdError).message;
  }
  throw new TypeError("it was taken");
}

test("contents of PEM files are taken, as text or bytes, in any sensible combination", () => {
  const { authority, client } = certificates;
  for (const tls of [
    undefined,
    {},
    { ca: authority.cert },
    { ca: Buffer.from(authority.cert + client.cert) },
    { ...client },
    {
      ca: authority.cert,
      cert: Buffer.from(client.cert + authority.cert),
      key: client.key,
      serverName: "a.b-c",
    },
  ])
    expect(createTlsContext(HTTPS, tls)).toMatchObject({ serverName: tls?.serverName });
  expect(createTlsContext(parseAddress("/run/a.sock"), undefined)).toBeUndefined();
});

test("what cannot be is refused by its name", () => {
  const { authority, client, stranger } = certificates;
  expect(refusal({}, parseAddress("/run/a.sock"))).toBe(
    "tls: is given for unix:///run/a.sock, which has no encryption; allowed: tls only with an https:// address",
  );
  expect(refusal({}, parseAddress("tcp://127.0.0.1:1"))).toContain("tls: is given for tcp://127.0.0.1:1");
  expect(refusal({ cert: client.cert })).toContain("tls.cert: is given without tls.key");
  expect(refusal({ key: client.key })).toContain("tls.key: is given without tls.cert");
  expect(refusal({ cert: client.cert, key: stranger.key })).toContain("tls.key: does not belong to tls.cert");
  expect(refusal({ ca: "/etc/ssl/ca.pem" })).toContain(
    "tls.ca: looks like a file's name; allowed: the contents",
  );
  expect(refusal({ ca: "" })).toContain("tls.ca: is not PEM");
  expect(refusal({ ca: authority.key })).toContain("tls.ca: cannot be read");
  expect(refusal({ cert: client.key, key: client.key })).toContain("tls.cert: cannot be read");
  expect(refusal({ cert: client.cert, key: client.cert })).toContain("tls.key: cannot be read");
  expect(refusal({ cert: client.cert.slice(0, 100), key: client.key })).toContain("tls.cert: cannot be read");
  const encrypted = createPrivateKey(client.key).export({
    type: "pkcs8",
    format: "pem",
    cipher: "aes-256-cbc",
    passphrase: "x",
  });
  expect(refusal({ cert: client.cert, key: encrypted.toString() })).toContain("a private key, not encrypted");
  expect(refusal({ serverName: "a b" })).toContain('tls.serverName: "a b" is not a host name');
  expect(refusal({ serverName: "" })).toContain("tls.serverName");
});
