import {
  type Client,
  formatPlatform,
  type Image,
  isContainerdError,
  type Platform,
} from "@wfe-containerd/client";
import type { Command } from "commander";
import { connect } from "../connection.js";
import { UsageError } from "../failure.js";
import { isImageProblem } from "../image-problem.js";
import { toJson } from "../printable.js";

export function addInspectCommand(program: Command): void {
  program
    .command("inspect")
    .description("Print everything that containerd knows about images or steps, as JSON.")
    .argument("<name...>")
    .action(async (names: string[], _flags: object, command: Command) => {
      await using client = await connect(command);
      const found = [];
      for (const name of names) found.push(await inspect(client, name));
      console.log(toJson(found));
    });
}

async function inspect(client: Client, name: string): Promise<object> {
  const container = await ignoreMissing(inspectContainer(client, name));
  if (container !== undefined) return container;
  const record = await ignoreMissing(client.images.get(name));
  if (record !== undefined) return inspectImage(client, record);
  throw new UsageError(`${name} is neither an image nor the id of a step in namespace ${client.namespace}`);
}

/** Describes any image. One that cannot be run has no manifest here; the problems in `usage` say why. */
async function inspectImage(client: Client, record: Image): Promise<object> {
  const platforms = (await ignoreImageProblem(client.images.platforms(record))) ?? [];
  const { name, labels, createdAt, updatedAt, target } = record;
  return {
    name,
    target,
    ...(await inspectManifest(client, record, platforms)),
    platforms: platforms.map(formatPlatform),
    usage: await client.images.usage(record),
    labels,
    createdAt,
    updatedAt,
  };
}

/**
 * Describes the manifest for the daemon's platform, or if that one is missing, for the first platform that is
 * there.
 */
async function inspectManifest(
  client: Client,
  record: Image,
  [other]: readonly Platform[],
): Promise<object | undefined> {
  const image =
    (await ignoreImageProblem(client.images.resolve(record))) ??
    (other && (await ignoreImageProblem(client.images.resolve(record, { platform: other }))));
  if (image === undefined) return undefined;
  const isUnpacked = await client.images.isUnpacked(image);
  return { ...image, platform: formatPlatform(image.platform), isUnpacked };
}

async function inspectContainer(client: Client, id: string): Promise<object> {
  const [container, task] = await Promise.all([
    client.containers.get(id),
    ignoreMissing(client.tasks.get(id)),
  ]);
  return { ...container, task: task ?? null };
}

async function ignoreMissing<T>(asked: Promise<T>): Promise<T | undefined> {
  return asked.catch((reason: unknown) => {
    // A name that is not valid as an id, or as an image's name, cannot exist.
    if (isContainerdError(reason, "not-found") || isContainerdError(reason, "invalid-argument"))
      return undefined;
    throw reason;
  });
}

/** Returns undefined when something is wrong with the image, not with the daemon. */
async function ignoreImageProblem<T>(asked: Promise<T>): Promise<T | undefined> {
  return asked.catch((reason: unknown) => {
    if (isContainerdError(reason, "not-found") || isImageProblem(reason)) return undefined;
    throw reason;
  });
}
