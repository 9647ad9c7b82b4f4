import type { Client, ResolvedImage } from "@wfe-containerd/client";
import type { ProcessUser } from "../core/spec/user.js";
import type { StepConfig } from "../core/step.js";
import { neededUserFiles, parseImageUser, parseUser, resolveUser as resolve } from "../core/user.js";
import type { ReadUserFiles } from "./user-file-cache.js";

/** Nobody, by number: no image needs to know it. */
const DEFAULT_USER = "65534:65534";

/** The ids that the step's process gets. Names are looked up in the image's own files, read from its layers. */
export async function resolveUser(
  client: Client,
  image: ResolvedImage,
  { user = DEFAULT_USER, groupAdd }: StepConfig,
  { readUserFiles, signal }: { readonly readUserFiles: ReadUserFiles; readonly signal?: AbortSignal },
): Promise<ProcessUser> {
  const reference = user === "image" ? parseImageUser(image.config.config?.User) : parseUser(user);
  const needed = neededUserFiles(reference, groupAdd);
  const paths = [...(needed.passwd ? ["/etc/passwd"] : []), ...(needed.group ? ["/etc/group"] : [])];
  if (paths.length === 0) return resolve(reference, {}, groupAdd);
  const files = await readUserFiles(client, image, paths, signal);
  return resolve(reference, { passwd: files.get("/etc/passwd"), group: files.get("/etc/group") }, groupAdd);
}
