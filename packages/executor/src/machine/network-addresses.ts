import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Bridge, createBridgeHooks } from "../core/network/bridge.js";
import { isStepId } from "../step-id.js";

/**
 * The addresses of the bridge that are taken, by the id of the step that has them. Source: the CNI plugin
 * host-local keeps a file for each address; its first line is the container's id
 * (plugins/ipam/host-local/backend/disk/backend.go).
 */
export async function findNetworkAddresses({ dataDir, name }: Bridge): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  const directory = join(dataDir, name);
  for (const file of await readdir(directory).catch(() => [])) {
    if (!/^[\d.]+$/.test(file)) continue;
    const text = await readFile(join(directory, file), "utf8").catch(() => "");
    const id = text.split(/\r?\n/)[0]?.trim() ?? "";
    if (isStepId(id)) found.set(id, [...(found.get(id) ?? []), join(directory, file)]);
  }
  return found;
}

/** Gives back the addresses of a step, as the runtime does after the step: by the CNI plugin. */
export async function freeNetworkAddresses(id: string, bridge: Bridge): Promise<void> {
  const [hook] = createBridgeHooks(id, bridge, undefined).poststop ?? [];
  if (hook === undefined) return;
  const env = Object.fromEntries((hook.env ?? []).map((entry) => entry.split(/=(.*)/s).slice(0, 2)));
  const failure = await promisify(execFile)(hook.path, hook.args?.slice(1), { env }).then(
    () => undefined,
    (reason: { stderr?: string }) => reason.stderr?.trim(),
  );
  if (!(await findNetworkAddresses(bridge)).has(id)) return;
  throw new Error(
    failure || `the CNI plugin bridge, which frees addresses, is not in ${bridge.pluginDirs.join(", ")}`,
  );
}
