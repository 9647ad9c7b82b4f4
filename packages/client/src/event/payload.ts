import { fromBinary, type MessageShape } from "@bufbuild/protobuf";
import {
  ContainerCreateSchema,
  ContainerDeleteSchema,
  ContainerUpdateSchema,
} from "@wfe-containerd/proto/events/container";
import { ContentCreateSchema, ContentDeleteSchema } from "@wfe-containerd/proto/events/content";
import { ImageCreateSchema, ImageDeleteSchema, ImageUpdateSchema } from "@wfe-containerd/proto/events/image";
import {
  NamespaceCreateSchema,
  NamespaceDeleteSchema,
  NamespaceUpdateSchema,
} from "@wfe-containerd/proto/events/namespace";
import {
  SandboxCreateSchema,
  SandboxExitSchema,
  SandboxStartSchema,
} from "@wfe-containerd/proto/events/sandbox";
import {
  SnapshotCommitSchema,
  SnapshotPrepareSchema,
  SnapshotRemoveSchema,
} from "@wfe-containerd/proto/events/snapshot";
import {
  TaskCheckpointedSchema,
  TaskCreateSchema,
  TaskDeleteSchema,
  TaskExecAddedSchema,
  TaskExecStartedSchema,
  TaskExitSchema,
  TaskIOSchema,
  TaskOOMSchema,
  TaskPausedSchema,
  TaskResumedSchema,
  TaskStartSchema,
} from "@wfe-containerd/proto/events/task";
import type { AnyValue } from "../any.js";

const SCHEMAS = [
  ContainerCreateSchema,
  ContainerUpdateSchema,
  ContainerDeleteSchema,
  ContentCreateSchema,
  ContentDeleteSchema,
  ImageCreateSchema,
  ImageUpdateSchema,
  ImageDeleteSchema,
  NamespaceCreateSchema,
  NamespaceUpdateSchema,
  NamespaceDeleteSchema,
  SandboxCreateSchema,
  SandboxStartSchema,
  SandboxExitSchema,
  SnapshotPrepareSchema,
  SnapshotCommitSchema,
  SnapshotRemoveSchema,
  TaskCreateSchema,
  TaskStartSchema,
  TaskDeleteSchema,
  TaskIOSchema,
  TaskExitSchema,
  TaskOOMSchema,
  TaskExecAddedSchema,
  TaskExecStartedSchema,
  TaskPausedSchema,
  TaskResumedSchema,
  TaskCheckpointedSchema,
] as const;

const SCHEMA_BY_NAME: ReadonlyMap<string, (typeof SCHEMAS)[number]> = new Map(
  SCHEMAS.map((schema) => [schema.typeName, schema]),
);

/** The payloads of containerd's own events (`api/events`): protobuf messages. */
export type EventPayload = MessageShape<(typeof SCHEMAS)[number]>;

/**
 * Decodes the payload of an event. Undefined if it is not one of containerd's own messages, or cannot be
 * decoded.
 */
export function toEventPayload({ typeUrl, value }: AnyValue): EventPayload | undefined {
  const schema = SCHEMA_BY_NAME.get(typeUrl.slice(typeUrl.lastIndexOf("/") + 1));
  if (schema === undefined) return undefined;
  try {
    return fromBinary(schema, value) as EventPayload;
  } catch {
    return undefined;
  }
}
