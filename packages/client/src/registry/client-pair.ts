import { createPrivateKey } from "node:crypto";
import { refuse } from "../refuse.js";
import type { HttpTls } from "./http.js";

/**
 * Checks client certificates and their keys: at most one for each kind of key. A TLS server tells which
 * authorities it accepts in client certificates, and Go's programs choose a certificate by that. Node.js does
 * not see this list: it chooses a certificate by the kind of key that the server supports.
 *
 * @param place where the certificates are configured, for the error.
 * @throws ContainerdError `invalid-argument`.
 */
export function checkClientPairs(place: string, pairs: HttpTls["clientPairs"]): HttpTls["clientPairs"] {
  if (pairs.length < 2) return pairs;
  const kinds = pairs.map(({ key }) => kindOfKey(place, key));
  const twice = kinds.find((kind, index) => kinds.indexOf(kind) !== index);
  if (twice === undefined) return pairs;
  return refuse(
    `${place} has several certificates with a key of the kind ${twice}, and Node.js cannot choose among them`,
    "one certificate of each kind",
  );
}

function kindOfKey(place: string, key: string): string {
  try {
    return createPrivateKey(key).asymmetricKeyType ?? "unknown";
  } catch (cause) {
    return refuse(`${place} has a key that cannot be read`, "a PEM key, not encrypted", cause);
  }
}
