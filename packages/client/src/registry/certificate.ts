import { createPrivateKey, X509Certificate } from "node:crypto";
import { refuse } from "../refuse.js";
import type { HttpTls } from "./http.js";

const CERTIFICATE = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[\s\S]*?-----END [^-]*-----/g;

/**
 * Checks that certificates and keys can be read, before any request is sent to a host. The errors of the TLS
 * library name neither the file nor the problem.
 *
 * @throws ContainerdError `invalid-argument`; the message never contains the content of a file.
 */
export function checkCertificates({ ca, clientPairs, places = new Map() }: HttpTls): void {
  const place = (pem: string, otherwise: string): string => places.get(pem) ?? otherwise;
  for (const pem of ca) readCertificates(place(pem, "hosts.ca"), pem);
  for (const { cert, key } of clientPairs) {
    readCertificates(place(cert, "hosts: the client certificate"), cert);
    readKey(place(key, "hosts: the client key"), key);
  }
}

function readCertificates(place: string, pem: string): void {
  const allowed = "certificates in PEM; each starts with -----BEGIN CERTIFICATE-----";
  const blocks = pem.match(CERTIFICATE) ?? refuse(`${place} is not a PEM certificate`, allowed);
  for (const block of blocks) {
    try {
      new X509Certificate(block);
    } catch {
      refuse(`${place} has a certificate that cannot be read`, allowed);
    }
  }
}

function readKey(place: string, pem: string): void {
  try {
    createPrivateKey(pem);
  } catch {
    refuse(`${place} is not a private key that can be read`, "a PEM key, not encrypted");
  }
}
