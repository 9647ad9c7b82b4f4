import type { ArchiveEntry } from "../plan/archive.js";
import { type Refusal, refuseAll } from "../policy/check-policy.js";
import { SECRETS_DIRECTORY } from "../policy/reserved-paths.js";
import type { StepMount } from "../spec/mounts.js";
import { directoryOf, isWithin } from "../units/path.js";
import { USUAL_DIRECTORY, usualTarget } from "./secret-request.js";
import type { SecretRequest } from "./step.js";

/** Values of secrets by name, as given to start a step. */
export type SecretValues = Readonly<Record<string, string | Uint8Array>>;

/** A secret that a step gets. */
export interface Secret {
  readonly name: string;
  /** Path of the file in the container. */
  readonly target: string;
  readonly mask: boolean;
  readonly value: Uint8Array;
}

/** A secret, as far as its masking depends on it. */
export type MaskedSecret = Pick<Secret, "mask" | "value">;

/** Names the directory of a step's secrets to its process, if it has secrets where they usually are. */
export const SECRETS_VARIABLE = "WFE_SECRETS_DIR";

/** The limit on all secrets of a step together, in bytes. They take memory of the daemon's machine. */
const MAX_BYTES = 1024 * 1024;

/** Directories in which images have other files. Nothing is mounted over them. */
const SHARED_DIRECTORIES =
  /^\/(bin|boot|etc|home|lib|lib32|lib64|media|mnt|opt|root|run|sbin|srv|tmp|usr|var)?(\/(bin|lib|lib64|sbin|etc|local|share|log|tmp|run|cache))?$/;

/**
 * Returns the secrets that a step names, with their values. Values that it does not name are ignored.
 *
 * @throws ExecutorError `refused` for a name without a value, for more than a mebibyte, and for a target in a
 * directory in which images have other files.
 */
export function matchSecrets(requests: readonly SecretRequest[], values: SecretValues): Secret[] {
  const refusals: Refusal[] = [];
  const secrets = requests.map(({ name, target, mask }, index) => {
    const given = Object.hasOwn(values, name) ? values[name] : undefined;
    if (given === undefined) {
      refusals.push({
        field: `secrets[${index}]`,
        message: `the value of ${JSON.stringify(name)} is missing`,
        policyKey: undefined,
        allowed: `a value for each secret; example: --secret id=${name},src=FILE, or the option secrets of run and start`,
      });
    }
    if (SHARED_DIRECTORIES.test(directoryOf(target))) {
      refusals.push({
        field: `secrets[${index}].target`,
        message: `${target} cannot be a secret: the directory of the secrets would hide the image's files in ${directoryOf(target)}`,
        policyKey: undefined,
        allowed: `a file in a directory that contains only secrets; example: /run/secrets/${name}`,
      });
    }
    return { name, target, mask, value: toSecretBytes(given ?? "") };
  });
  const bytes = secrets.reduce((sum, { value }) => sum + value.byteLength, 0);
  if (bytes > MAX_BYTES) {
    refusals.push({
      field: "secrets",
      message: `the values have ${bytes} bytes together`,
      policyKey: undefined,
      allowed: `up to ${MAX_BYTES} bytes together`,
    });
  }
  refuseAll(refusals);
  return secrets;
}

/** A directory that contains secrets. */
export interface SecretDirectory {
  /** Path at which the step sees it. */
  readonly shownAt: string;
  /** Its real path, below {@link SECRETS_DIRECTORY}. */
  readonly place: string;
  /** Whether it lies in another directory of secrets, and is seen through the link to that one. */
  readonly isInner: boolean;
}

/** Returns the directories that secrets are in, each once, outer ones first. */
export function secretDirectories(secrets: readonly Pick<Secret, "target">[]): SecretDirectory[] {
  const shown = [...new Set(secrets.map(({ target }) => directoryOf(target)))].toSorted();
  return shown.map((shownAt) => {
    const index = shown.findIndex((outer) => isWithin(shownAt, outer));
    const outer = shown[index] as string;
    const place = `${SECRETS_DIRECTORY}/${index}${shownAt.slice(outer.length)}`;
    return { shownAt, place, isInner: outer !== shownAt };
  });
}

/** The owner of files, with the ids of the daemon's machine. */
interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** The owner may read. */
const FILE_MODE = 0o400;

/** Room for the last page of each file, and for the file system itself. */
const PAGE_BYTES = 4096;

/** How much the secrets of steps that run in one container at the same time may have together, in bytes. */
const ROOM_BYTES = 4 * MAX_BYTES;

/**
 * Returns the mount of the file system in memory that the secrets are in. Only root may change what is in it.
 *
 * @param hasRoom whether there is room for the secrets of a session's steps.
 */
export function secretMounts(secrets: readonly Secret[], hasRoom: boolean): StepMount[] {
  if (secrets.length === 0 && !hasRoom) return [];
  const sizeBytes = secrets.reduce(
    (sum, { value }) => sum + value.byteLength + 2 * PAGE_BYTES,
    (hasRoom ? ROOM_BYTES : 0) + (2 + 2 * secretDirectories(secrets).length) * PAGE_BYTES,
  );
  return [{ type: "tmpfs", target: SECRETS_DIRECTORY, sizeBytes, mode: 0o555 }];
}

/**
 * Returns what is written into that file system after it is mounted. Only the given user may read the files.
 */
export function secretEntries(secrets: readonly Secret[], owner: Owner): ArchiveEntry[] {
  return secretDirectories(secrets).flatMap(({ shownAt, place }) =>
    directoryEntries(
      place,
      secrets
        .filter(({ target }) => directoryOf(target) === shownAt)
        .map(({ target, value }) => ({ name: target.slice(shownAt.length + 1), value })),
      owner,
    ),
  );
}

/** The directory in a session's container that has the secrets of one of its steps. */
export function stepSecretsDirectory(slot: string): string {
  return `${SECRETS_DIRECTORY}/${slot}`;
}

/** What is written there before the step's process is started. Only the given user may read the files. */
export function stepSecretEntries(secrets: readonly Secret[], slot: string, owner: Owner): ArchiveEntry[] {
  return directoryEntries(stepSecretsDirectory(slot), secrets, owner);
}

/**
 * What is written there afterwards: an empty file, in whose place the next directory comes. containerd cannot
 * be told to remove something from a running container.
 */
export function emptySlot(slot: string): ArchiveEntry[] {
  const name = stepSecretsDirectory(slot).slice(1);
  return [{ type: "file", name, contents: new Uint8Array(), mode: FILE_MODE, uid: 0, gid: 0 }];
}

/** A directory, and in it a file for each secret that only its owner can read. */
function directoryEntries(
  path: string,
  secrets: readonly Pick<Secret, "name" | "value">[],
  { uid, gid }: Owner,
): ArchiveEntry[] {
  return [
    { type: "directory", name: path.slice(1), mode: 0o555, uid: 0, gid: 0 },
    ...secrets.map(
      ({ name, value }): ArchiveEntry => ({
        type: "file",
        name: `${path}/${name}`.slice(1),
        contents: value,
        mode: FILE_MODE,
        uid,
        gid,
      }),
    ),
  ];
}

/** Names the directory of its secrets to a step that has some where they usually are. */
export function secretsVariable(secrets: readonly Secret[]): Record<string, string> {
  const isUsual = secrets.some(({ name, target }) => target === usualTarget(name));
  return isUsual ? { [SECRETS_VARIABLE]: USUAL_DIRECTORY } : {};
}

/** Returns the values of those secrets that are masked in the output. */
export function maskedValues(secrets: readonly MaskedSecret[]): Uint8Array[] {
  return secrets.filter(({ mask }) => mask).map(({ value }) => value);
}

export function toSecretBytes(value: string | Uint8Array): Uint8Array {
  return typeof value === "string" ? new TextEncoder().encode(value) : value;
}
