import { create, type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { type Any, AnySchema } from "@bufbuild/protobuf/wkt";
import { toJson } from "./json.js";

/** A typed value on the wire. */
export interface AnyValue {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

/** Type URLs under which containerd carries OCI documents as JSON (`pkg/oci`, typeurl's registry). */
export const RUNTIME_SPEC = "types.containerd.io/opencontainers/runtime-spec/1/Spec";
export const RUNTIME_PROCESS = "types.containerd.io/opencontainers/runtime-spec/1/Process";
export const RUNTIME_RESOURCES = "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources";

/** A value that travels as JSON; a `bigint` in it as a number. */
export function toJsonAny(typeUrl: string, value: object): Any {
  return create(AnySchema, { typeUrl, value: new TextEncoder().encode(toJson(value)) });
}

/** Undefined when there is none, or when what is there is no JSON. */
export function fromJsonAny(any: AnyValue | undefined): unknown {
  if (any === undefined || any.value.byteLength === 0) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(any.value));
  } catch {
    return undefined;
  }
}

/**
 * A protobuf message in an Any, under its bare name: containerd's lookups fail with the `type.googleapis.com/` that protobuf
 * libraries put in front.
 */
export function toMessageAny<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): Any {
  return create(AnySchema, { typeUrl: schema.typeName, value: toBinary(schema, message) });
}
