import { Code, ConnectError, decodeBinaryHeader, encodeBinaryHeader } from "@connectrpc/connect";
import { Metadata } from "@grpc/grpc-js";

/**
 * Converts headers, as names in small letters and their values, to grpc-js's metadata. The values of names
 * that end in `-bin` are base64 in headers, and bytes in metadata.
 *
 * @throws ConnectError InvalidArgument for a value that a gRPC header cannot have.
 */
export function toMetadata(headers: Iterable<readonly [string, string]>): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of headers) {
    try {
      if (name.endsWith("-bin")) {
        for (const part of value.split(",")) metadata.add(name, Buffer.from(decodeBinaryHeader(part.trim())));
      } else {
        metadata.add(name, value);
      }
    } catch {
      // Leave out the original error: it quotes the value, which may be a secret.
      const allowed = name.endsWith("-bin") ? "base64" : "printable ASCII";
      throw new ConnectError(
        `header ${name}: the value cannot be sent; allowed: ${allowed}`,
        Code.InvalidArgument,
      );
    }
  }
  return metadata;
}

export function toHeaders(metadata: Metadata): Headers {
  const headers = new Headers();
  for (const [name, values] of Object.entries(metadata.toJSON())) {
    for (const value of values) {
      headers.append(name, typeof value === "string" ? value : encodeBinaryHeader(value));
    }
  }
  return headers;
}
