import type { Client } from "@wfe-containerd/client";
import { listSteps } from "@wfe-containerd/executor";
import { isOver, removeOnce } from "./ended-step.js";
import { UsageError } from "./failure.js";

/**
 * As in docker, a name that somebody gave is another step's from then on. A step of `run -d --rm` that has
 * ended has its name no longer: it is removed.
 *
 * @param name undefined: nobody gave it.
 * @throws UsageError if another step has the name.
 */
export async function takeName(client: Client, name: string | undefined): Promise<void> {
  if (name === undefined) return;
  const named = (await listSteps(client)).filter((step) => step.name === name);
  const taken = named.find((step) => !isOver(step));
  if (taken !== undefined)
    throw new UsageError(
      `--name: step ${taken.id} has the name ${JSON.stringify(name)} already; give another name, or remove it: wfe-containerd rm ${name}`,
    );
  for (const { id } of named) await removeOnce(client, id);
}
