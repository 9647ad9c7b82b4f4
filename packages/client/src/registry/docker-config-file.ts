import { randomBytes } from "node:crypto";
import { lstat, mkdir, open, readFile, readlink, realpath, rename, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { ContainerdError } from "../error.js";
import { refuse } from "../refuse.js";
import { asObject, goField, goFieldName, parseGoStruct } from "./go-json.js";

type Fields = Readonly<Record<string, unknown>>;

/** The credentials part of docker's config.json, or of a text in the same form. */
export interface DockerConfig {
  /** The path of the file, or the name of the environment variable; for errors. */
  readonly place: string;
  /** By registry. An empty entry means that a helper stores the credential. */
  readonly auths: Readonly<Record<string, Fields>>;
  /** Names of helpers by registry. An empty name means that the registry has no helper. */
  readonly credHelpers: Readonly<Record<string, string>>;
  /** Name of the helper for all other registries; empty if there is no helper. */
  readonly credsStore: string;
  /** All fields of the file, including those that only docker uses. */
  readonly fields: Fields;
}

/**
 * Reads a config file. A file that does not exist counts as empty.
 *
 * @throws ContainerdError `failed-precondition` if the file cannot be read; `invalid-argument` for its
 * content.
 */
export async function readDockerConfig(file: string): Promise<DockerConfig> {
  const text = await readFile(file, "utf8").catch((reason: NodeJS.ErrnoException) => {
    if (reason.code === "ENOENT" || reason.code === "ENOTDIR") return "";
    throw new ContainerdError(`${file}: the file cannot be read (${reason.code})`, {
      kind: "failed-precondition",
    });
  });
  return parseDockerConfig(file, text);
}

/**
 * Reads the text of a config.json as docker does: the case of field names does not matter, `null` counts as a
 * missing value, and an empty text as an empty config.
 *
 * @throws ContainerdError `invalid-argument`; the message never quotes the text.
 */
export function parseDockerConfig(place: string, text: string): DockerConfig {
  const fields = parseGoStruct(text);
  if (fields === undefined) {
    return refuse(`${place}: the content is not a JSON object`, 'what docker writes: {"auths": {…}}');
  }
  const auths = mapOf(place, "auths", goField(fields, "auths"), (key, value) => {
    return asObject(value ?? {}) ?? refuse(`${place}: auths.${key} is not an object`, '{"auth": "…"}');
  });
  const name = (field: string, value: unknown): string => {
    if (value === null || value === undefined) return "";
    return typeof value === "string"
      ? value
      : refuse(`${place}: ${field} is not text`, "the name of a credential helper, for example osxkeychain");
  };
  return {
    place,
    auths,
    credHelpers: mapOf(place, "credHelpers", goField(fields, "credHelpers"), (key, value) =>
      name(`credHelpers.${key}`, value),
    ),
    credsStore: name("credsStore", goField(fields, "credsStore")),
    fields,
  };
}

/**
 * Writes the config with new `auths`. Only the owner can read the file. The file is replaced as a whole
 * (rename), so that a reader never sees a part of it.
 *
 * @throws ContainerdError `failed-precondition` if the file cannot be written.
 */
export async function writeDockerConfig(
  { place: file, fields }: DockerConfig,
  auths: DockerConfig["auths"],
): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const target = await followLinks(file);
  const temporary = `${target}.${randomBytes(6).toString("hex")}`;
  try {
    const handle = await open(temporary, "wx", 0o600);
    try {
      const written = { ...fields, [goFieldName(fields, "auths")]: auths };
      await handle.writeFile(`${JSON.stringify(written, null, "\t")}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, target);
  } catch (reason) {
    await rm(temporary, { force: true }).catch(() => undefined);
    const { code } = reason as NodeJS.ErrnoException;
    throw new ContainerdError(`${file}: the file cannot be written (${code})`, {
      kind: "failed-precondition",
    });
  }
}

/**
 * Follows symbolic links, so that the link itself stays in place; it may lead into a mounted directory. The
 * target does not need to exist.
 */
async function followLinks(file: string): Promise<string> {
  const isLink = await lstat(file).then(
    (stat) => stat.isSymbolicLink(),
    () => false,
  );
  if (!isLink) return file;
  return realpath(file).catch(async () => resolve(dirname(file), await readlink(file)));
}

function mapOf<T>(
  place: string,
  field: string,
  value: unknown,
  read: (key: string, value: unknown) => T,
): Readonly<Record<string, T>> {
  const map = asObject(value ?? {});
  if (map === undefined)
    return refuse(`${place}: ${field} is not an object`, "an object with an entry for each registry");
  return Object.fromEntries(Object.entries(map).map(([key, entry]) => [key, read(key, entry)]));
}
