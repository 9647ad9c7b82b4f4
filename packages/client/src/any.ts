import { create, type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { type Any, AnySchema } from "@bufbuild/protobuf/wkt";
import { toJson } from "./json.js";

/** A typed value on the wire. */
export interface AnyValue {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

/** Type URLs of the OCI documents that containerd carries as JSON (`pkg/oci`, typeurl's registry). */
export const RUNTIME_SPEC = "types.containerd.io/opencontainers/runtime-spec/1/Spec";
export const RUNTIME_PROCESS = "types.containerd.io/opencontainers/runtime-spec/1/Process";
export const RUNTIME_RESOURCES = "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources";

/** Packs a value as JSON. A `bigint` in it becomes a number. */
export function toJsonAny(typeUrl: string, value: object): Any {
  return create(AnySchema, { typeUrl, value: new TextEncoder().encode(toJson(value)) });
}

/** Undefined when there is no value, or when the value is not JSON. */
export function fromJsonAny(any: AnyValue | undefined): unknown {
  if (any === undefined || any.value.byteLength === 0) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(any.value));
  } catch {
    return undefined;
  }
}

/**
 * Packs a protobuf message into an Any. The type URL is the message's bare name: protobuf libraries usually
 * put `type.googleapis.com/` in front, and containerd's lookups fail with that.
 */
export function toMessageAny<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): Any {
  return create(AnySchema, { typeUrl: schema.typeName, value: toBinary(schema, message) });
}
