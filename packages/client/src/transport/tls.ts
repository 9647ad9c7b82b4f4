import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContext } from "node:tls";
import { refuse } from "../refuse.js";
import type { Address } from "./address.js";

/** TLS settings: the trusted authorities and the client certificate, as the content of PEM files. */
export interface TlsOptions {
  /**
   * Certificates of the authorities to trust for the daemon's certificate. Default: those that Node trusts.
   */
  readonly ca?: string | Uint8Array | undefined;
  /**
   * The client certificate, with any intermediate certificates, for a daemon that requires one. Needs `key`.
   */
  readonly cert?: string | Uint8Array | undefined;
  /** The private key of `cert`, not encrypted. */
  readonly key?: string | Uint8Array | undefined;
  /** The name in the daemon's certificate, if it differs from the host in the address. */
  readonly serverName?: string | undefined;
}

/** Everything needed to open a TLS connection. */
export interface TlsContext {
  readonly secureContext: SecureContext;
  readonly serverName: string | undefined;
}

/**
 * Reads the options; undefined for an address without TLS. Whether the daemon accepts them shows only at the
 * first call.
 *
 * @throws ContainerdError `invalid-argument` that names the field, and never contains the key.
 */
export function createTlsContext(address: Address, tls: TlsOptions | undefined): TlsContext | undefined {
  if (!address.isTls) {
    if (tls !== undefined)
      refuse(
        `tls: is given for ${address.text}, which has no encryption`,
        "tls only with an https:// address",
      );
    return undefined;
  }
  const { ca, cert, key, serverName } = tls ?? {};
  if (cert === undefined && key !== undefined)
    refuse("tls.key: is given without tls.cert", "both, or neither");
  if (cert !== undefined && key === undefined)
    refuse("tls.cert: is given without tls.key", "both, or neither");
  if (serverName !== undefined && !/^[A-Za-z0-9._-]{1,253}$/.test(serverName)) {
    refuse(
      `tls.serverName: ${JSON.stringify(serverName.slice(0, 100))} is not a host name`,
      "a name as in a certificate, for example containerd.example.com",
    );
  }
  if (ca !== undefined) readCertificate("tls.ca", ca);
  if (cert !== undefined && key !== undefined) {
    const certificate = readCertificate("tls.cert", cert);
    const privateKey = readPem("tls.key", key, "a private key, not encrypted", (pem) =>
      createPrivateKey(pem),
    );
    if (!certificate.checkPrivateKey(privateKey)) {
      refuse("tls.key: does not belong to tls.cert", "the key that the certificate was made for");
    }
  }
  const secureContext = createSecureContext({
    ...(ca !== undefined && { ca: Buffer.from(ca) }),
    ...(cert !== undefined && { cert: Buffer.from(cert) }),
    ...(key !== undefined && { key: Buffer.from(key) }),
  });
  return { secureContext, serverName };
}

function readCertificate(field: string, pem: string | Uint8Array): X509Certificate {
  return readPem(field, pem, "certificates", (bytes) => new X509Certificate(bytes));
}

function readPem<T>(field: string, pem: string | Uint8Array, what: string, read: (pem: Buffer) => T): T {
  const bytes = Buffer.from(pem);
  if (!bytes.includes("-----BEGIN ")) {
    const isPath = bytes.length < 4096 && !bytes.includes("\n") && /[/.]/.test(bytes.toString());
    refuse(
      `${field}: ${isPath ? "looks like a file's name" : "is not PEM"}`,
      `the contents of a PEM file: ${what}`,
    );
  }
  try {
    return read(bytes);
  } catch {
    return refuse(`${field}: cannot be read`, `the contents of a PEM file: ${what}`);
  }
}
