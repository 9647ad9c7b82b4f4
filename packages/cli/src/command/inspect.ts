import {
  type Client,
  formatPlatform,
  type Image,
  isContainerdError,
  type Platform,
} from "@wfe-containerd/client";
import { listSteps } from "@wfe-containerd/executor";
import type { Command } from "commander";
import { answerFlags, SIZE_FLAG } from "../answer-flags.js";
import { connect } from "../connection.js";
import { UsageError } from "../failure.js";
import { globalOptions } from "../global-options.js";
import { findImage } from "../image-lookup.js";
import { isImageProblem } from "../image-problem.js";
import { inspectedStep } from "../inspected-step.js";
import { toJson } from "../printable.js";
import { findStep } from "../step-lookup.js";
import { compileTemplate } from "../template/render.js";

interface InspectFlags {
  readonly type?: "container" | "image";
}

const EXAMPLE = `
Examples:
  wfe-containerd inspect build
  wfe-containerd inspect -f '{{.State.Pid}} {{.Config.Image}}' build
  wfe-containerd inspect -f '{{range .Config.Env}}{{println .}}{{end}}' build
  wfe-containerd inspect -f '{{json .Config.Config.Cmd}}' alpine:3.20

A template finds a field whatever its case. The README lists what templates can do.`;

export function defineInspect(command: Command): void {
  answerFlags(command, [SIZE_FLAG]);
  command
    .description("Print everything that containerd knows about images or steps, as JSON.")
    .argument("<name...>", "an image's name or digest; a step's id, beginning of an id, or name")
    .option("-f, --format <template>", "json, or a Go template such as '{{.State.Pid}}'")
    .addOption(command.createOption("--type <type>", "look only for this").choices(["container", "image"]))
    .addHelpText("after", EXAMPLE)
    .action(async (names: string[], { type }: InspectFlags, self: Command) => {
      const { format } = globalOptions(self);
      const fill = ["table", "json"].includes(format) ? undefined : compileTemplate(format);
      await using client = await connect(self);
      const found = [];
      for (const name of names) found.push(await inspect(client, name, type));
      if (fill === undefined) console.log(toJson(found));
      else for (const each of found) console.log(fill(JSON.parse(JSON.stringify(each))));
    });
}

async function inspect(client: Client, name: string, type: InspectFlags["type"]): Promise<object> {
  const container = type === "image" ? undefined : await findContainer(client, name);
  if (container !== undefined) return container;
  const record = type === "container" ? undefined : await ignoreMissing(findImage(client, name));
  if (record !== undefined) return inspectImage(client, record);
  const what = type === undefined ? "no step and no image" : `no ${type}`;
  throw new UsageError(`there is ${what} ${JSON.stringify(name)} in namespace ${client.namespace}`);
}

/** An image may have the name of a step, or the beginning of its id: an exact id wins, then the image. */
async function findContainer(client: Client, name: string): Promise<object | undefined> {
  const byId = await ignoreMissing(inspectContainer(client, name));
  if (byId !== undefined) return byId;
  const steps = await listSteps(client);
  const isNamed = steps.some((step) => step.name === name);
  if (!isNamed && (await ignoreMissing(client.images.get(name))) !== undefined) return undefined;
  const matches = steps.filter(({ id }) => id.startsWith(name) || id.startsWith(`wfe-${name}`));
  if (!isNamed && matches.length === 0) return undefined;
  return ignoreMissing(inspectContainer(client, findStep(name, steps).id));
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
  return inspectedStep(container, task);
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
