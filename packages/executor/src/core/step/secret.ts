import type { ArchiveEntry } from "../plan/archive.js";
import { type Refusal, refuseAll } from "../policy/check-policy.js";
import { SECRETS_DIRECTORY } from "../policy/reserved-paths.js";
import type { StepMount } from "../spec/mounts.js";
import { directoryOf, isWithin } from "../units/path.js";
import type { SecretRequest } from "./step.js";

/** Values of secrets by name, as whoever starts a step gives them. */
export type SecretValues = Readonly<Record<string, string | Uint8Array>>;

/** A secret that a step gets. */
export interface Secret {
  readonly name: string;
  /** The file in the container. */
  readonly target: string;
  readonly mask: boolean;
  readonly value: Uint8Array;
}

/** Of all secrets of a step together: they take the daemon's memory. */
const MAX_BYTES = 1024 * 1024;

/** Directories that images keep other things in: over these nothing is mounted. */
const SHARED_DIRECTORIES =
  /^\/(bin|boot|etc|home|lib|lib32|lib64|media|mnt|opt|root|run|sbin|srv|tmp|usr|var)?(\/(bin|lib|lib64|sbin|etc|local|share|log|tmp|run|cache))?$/;

/**
 * The secrets that a step names, with their values. Values that it does not name are none of its business.
 *
 * @throws ExecutorError `refused` for a name that has no value, for more than a mebibyte, and for a target in a directory of the image's.
 */
export function matchSecrets(requests: readonly SecretRequest[], values: SecretValues): Secret[] {
  const refusals: Refusal[] = [];
  const secrets = requests.map(({ name, target, mask }, index) => {
    const given = Object.hasOwn(values, name) ? values[name] : undefined;
    if (given === undefined) {
      const message = `no value was given for ${JSON.stringify(name)}`;
      refusals.push({ field: `secrets[${index}]`, message, policyKey: undefined });
    }
    if (SHARED_DIRECTORIES.test(directoryOf(target))) {
      const message = `${target} cannot be a secret: its directory would be replaced by one with secrets alone, and images have other files there`;
      refusals.push({ field: `secrets[${index}].target`, message, policyKey: undefined });
    }
    return { name, target, mask, value: typeof given === "string" ? encode(given) : (given ?? encode("")) };
  });
  const bytes = secrets.reduce((sum, { value }) => sum + value.byteLength, 0);
  if (bytes > MAX_BYTES) {
    const message = `they have ${bytes} bytes together; up to ${MAX_BYTES} are allowed`;
    refusals.push({ field: "secrets", message, policyKey: undefined });
  }
  refuseAll(refusals);
  return secrets;
}

/** A directory of secrets. */
export interface SecretDirectory {
  /** Where the step sees it. */
  readonly shownAt: string;
  /** Where it is. */
  readonly place: string;
  /** Whether it is in another one of them, and seen by the link to that. */
  readonly isInner: boolean;
}

/** The directories that secrets are in, each once, outer ones first. */
export function secretDirectories(secrets: readonly Pick<Secret, "target">[]): SecretDirectory[] {
  const shown = [...new Set(secrets.map(({ target }) => directoryOf(target)))].toSorted();
  return shown.map((shownAt) => {
    const index = shown.findIndex((outer) => isWithin(shownAt, outer));
    const outer = shown[index] as string;
    const place = `${SECRETS_DIRECTORY}/${index}${shownAt.slice(outer.length)}`;
    return { shownAt, place, isInner: outer !== shownAt };
  });
}

/** Room for each file's last page, and for the file system's own needs. */
const PAGE_BYTES = 4096;

/** The file system in memory that a step's secrets are in; only root may change what is in it. */
export function secretMounts(secrets: readonly Secret[]): StepMount[] {
  if (secrets.length === 0) return [];
  const sizeBytes = secrets.reduce(
    (sum, { value }) => sum + value.byteLength + 2 * PAGE_BYTES,
    (2 + 2 * secretDirectories(secrets).length) * PAGE_BYTES,
  );
  return [{ type: "tmpfs", target: SECRETS_DIRECTORY, sizeBytes, mode: 0o555 }];
}

/** What is to be in it, once it is mounted; by whom the files are to be read. */
export function secretEntries(
  secrets: readonly Secret[],
  { uid, gid }: { readonly uid: number; readonly gid: number },
): ArchiveEntry[] {
  return secretDirectories(secrets).flatMap(({ shownAt, place }): ArchiveEntry[] => [
    { type: "directory", name: place.slice(1), mode: 0o555, uid: 0, gid: 0 },
    ...secrets
      .filter(({ target }) => directoryOf(target) === shownAt)
      .map(
        ({ target, value }): ArchiveEntry => ({
          type: "file",
          name: `${place}${target.slice(shownAt.length)}`.slice(1),
          contents: value,
          mode: FILE_MODE,
          uid,
          gid,
        }),
      ),
  ]);
}

/** Owner read. */
const FILE_MODE = 0o400;

/** Of those that are to be masked. */
export function maskedValues(secrets: readonly Secret[]): Uint8Array[] {
  return secrets.filter(({ mask }) => mask).map(({ value }) => value);
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
