import { type Client, isContainerdError } from "@wfe-containerd/client";
import type { AllowedStep } from "../core/plan/checked-step.js";
import { refuse } from "../core/refuse.js";
import type { ProcessUser } from "../core/spec/user.js";
import { neededUserFiles, parseImageUser, parseUser, resolveUser as resolve } from "../core/user/user.js";
import { ExecutorError } from "../error.js";
import type { StepImage } from "./step-image.js";
import type { ReadUserFiles } from "./user-file-cache.js";

/** The user nobody, by number: so the image need not have an entry for it. */
const DEFAULT_USER = "65534:65534";

/**
 * Finds the ids that the step's process gets. Names are looked up in `/etc/passwd` and `/etc/group` of the
 * unpacked image.
 *
 * @param image undefined: it is not on the daemon any more. Then only numbers can be had.
 */
export async function resolveUser(
  client: Client,
  image: StepImage | undefined,
  { user = DEFAULT_USER, groupAdd }: AllowedStep,
  { readUserFiles, signal }: { readonly readUserFiles: ReadUserFiles; readonly signal?: AbortSignal },
): Promise<ProcessUser> {
  if (user === "image" && image === undefined) refuseGone(user);
  const reference = user === "image" ? parseImageUser(image?.config.config?.User) : parseUser(user);
  const needed = neededUserFiles(reference, groupAdd);
  const paths = [...(needed.passwd ? ["/etc/passwd"] : []), ...(needed.group ? ["/etc/group"] : [])];
  if (paths.length === 0) return resolve(reference, {}, groupAdd);
  if (image === undefined) return refuseGone(user);
  const files = await readUserFiles(client, image, paths, signal).catch(refuseImage);
  return resolve(reference, { passwd: files.get("/etc/passwd"), group: files.get("/etc/group") }, groupAdd);
}

/**
 * Finds a user file of the image that stops the runtime. runc reads both files for every user, and waits for
 * ever at a FIFO (`setupUser` in runc's libcontainer/init_linux.go). Reading them before each step would be
 * slow.
 */
export async function findBlockingUserFile(
  client: Client,
  image: StepImage,
  readUserFiles: ReadUserFiles,
): Promise<string | undefined> {
  try {
    await readUserFiles(client, image, ["/etc/passwd", "/etc/group"], undefined);
  } catch (reason) {
    const [, path] = /(\/etc\/\w+) of the image is a fifo;/.exec(String(reason)) ?? [];
    if (path !== undefined)
      return `image: ${path} of the image is a FIFO, and the runtime would wait for it for ever; allowed: a regular file`;
  }
  return undefined;
}

function refuseGone(user: string): never {
  refuse(
    "user",
    `${user} is looked up in files of the image, which is not on the daemon any more`,
    "numbers of a user and a group; example: 1000:1000",
  );
}

/** A broken user file is the image's fault, not a failure of the daemon: the step is refused. */
function refuseImage(reason: unknown): never {
  if (!isContainerdError(reason, "invalid-argument") && !isContainerdError(reason, "out-of-range"))
    throw reason;
  const [message = "", allowed = ""] = reason.message.split("; allowed: ");
  const issue = {
    field: "image",
    message,
    allowed: `${allowed}; or a user as uid:gid, for which the file is not needed, for example user: 1000:1000`,
  };
  throw new ExecutorError(`image: ${issue.message}; allowed: ${issue.allowed}`, {
    kind: "refused",
    issues: [issue],
    cause: reason,
  });
}
