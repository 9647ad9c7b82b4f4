import { fromBinary } from "@bufbuild/protobuf";
import {
  type ContainerCreate,
  ContainerCreateSchema,
  type ContainerDelete,
  ContainerDeleteSchema,
  type ContainerUpdate,
  ContainerUpdateSchema,
} from "@wfe-containerd/proto/events/container";
import {
  type ContentCreate,
  ContentCreateSchema,
  type ContentDelete,
  ContentDeleteSchema,
} from "@wfe-containerd/proto/events/content";
import {
  type ImageCreate,
  ImageCreateSchema,
  type ImageDelete,
  ImageDeleteSchema,
  type ImageUpdate,
  ImageUpdateSchema,
} from "@wfe-containerd/proto/events/image";
import {
  type NamespaceCreate,
  NamespaceCreateSchema,
  type NamespaceDelete,
  NamespaceDeleteSchema,
  type NamespaceUpdate,
  NamespaceUpdateSchema,
} from "@wfe-containerd/proto/events/namespace";
import {
  type SandboxCreate,
  SandboxCreateSchema,
  type SandboxExit,
  SandboxExitSchema,
  type SandboxStart,
  SandboxStartSchema,
} from "@wfe-containerd/proto/events/sandbox";
import {
  type SnapshotCommit,
  SnapshotCommitSchema,
  type SnapshotPrepare,
  SnapshotPrepareSchema,
  type SnapshotRemove,
  SnapshotRemoveSchema,
} from "@wfe-containerd/proto/events/snapshot";
import {
  type TaskCheckpointed,
  TaskCheckpointedSchema,
  type TaskCreate,
  TaskCreateSchema,
  type TaskDelete,
  TaskDeleteSchema,
  type TaskExecAdded,
  TaskExecAddedSchema,
  type TaskExecStarted,
  TaskExecStartedSchema,
  type TaskExit,
  TaskExitSchema,
  type TaskIO,
  TaskIOSchema,
  type TaskOOM,
  TaskOOMSchema,
  type TaskPaused,
  TaskPausedSchema,
  type TaskResumed,
  TaskResumedSchema,
  type TaskStart,
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
export type EventPayload =
  | ContainerCreate
  | ContainerDelete
  | ContainerUpdate
  | NamespaceCreate
  | NamespaceDelete
  | NamespaceUpdate
  | SandboxCreate
  | SandboxExit
  | SandboxStart
  | SnapshotCommit
  | SnapshotPrepare
  | SnapshotRemove
  | TaskCheckpointed
  | TaskCreate
  | TaskDelete
  | TaskExecAdded
  | TaskExecStarted
  | TaskExit
  | TaskIO
  | TaskOOM
  | TaskPaused
  | TaskResumed
  | TaskStart
  | ContainerCreate
  | ContainerUpdate
  | ContainerDelete
  | ContentCreate
  | ContentDelete
  | ImageCreate
  | ImageUpdate
  | ImageDelete
  | NamespaceCreate
  | NamespaceUpdate
  | NamespaceDelete
  | SandboxCreate
  | SandboxStart
  | SandboxExit
  | SnapshotPrepare
  | SnapshotCommit
  | SnapshotRemove
  | TaskCreate
  | TaskStart
  | TaskDelete
  | TaskIO
  | TaskExit
  | TaskOOM
  | TaskExecAdded
  | TaskExecStarted
  | TaskPaused
  | TaskResumed
  | TaskCheckpointed;

/**
 * Decodes the payload of an event. Undefined if it is not one of containerd's own messages, or cannot be
 * decoded.
 */
export function toEventPayload({ typeUrl, value }: AnyValue): EventPayload | undefined {
  const schema = SCHEMA_BY_NAME.get(typeUrl.slice(typeUrl.lastIndexOf("/") + 1));
  if (schema === undefined) return undefined;
  try {
    return fromBinary<(typeof SCHEMAS)[number]>(schema, value);
  } catch {
    return undefined;
  }
}
