import { createPrivateKey } from "node:crypto";
import { ContainerdError } from "../error.js";
import type { HttpTls } from "./http.js";

/**
 * Checks certificates that say who we are, and their keys. A server says which authorities' it takes, and Go's programs choose by that. Node does not
 * hear of it: of several it gives the one whose kind of key the server knows, and so can have only one of each kind.
 *
 * @param place where they are said, for the error.
 * @throws ContainerdError `invalid-argument`.
 */
export function checkClientPairs(place: string, pairs: HttpTls["clientPairs"]): HttpTls["clientPairs"] {
  if (pairs.length < 2) return pairs;
  const kinds = pairs.map(({ key }) => kindOfKey(place, key));
  const twice = kinds.find((kind, index) => kinds.indexOf(kind) !== index);
  if (twice === undefined) return pairs;
  throw new ContainerdError(
    `${place} has several certificates with a key of the kind ${twice}, and Node.js cannot choose among them; allowed: one of each kind`,
    { kind: "invalid-argument" },
  );
}

function kindOfKey(place: string, key: string): string {
  try {
    return createPrivateKey(key).asymmetricKeyType ?? "unknown";
  } catch (cause) {
    throw new ContainerdError(`${place} has a key that cannot be read; allowed: a PEM key, not encrypted`, {
      kind: "invalid-argument",
      cause,
    });
  }
}
