import { refuse } from "../refuse.js";
import type { Network } from "./namespaces.js";

const IPC_SYSCTLS: readonly string[] = [
  "kernel.msgmax",
  "kernel.msgmnb",
  "kernel.msgmni",
  "kernel.sem",
  "kernel.shmall",
  "kernel.shmmax",
  "kernel.shmmni",
  "kernel.shm_rmid_forced",
];

const ALLOWED = `net.* unless network is host, fs.mqueue.*, ${IPC_SYSCTLS.join(", ")}`;

/**
 * Kernel parameters of the step's own namespaces. Any other would be the host's.
 *
 * @throws ExecutorError `refused` for one that belongs to no namespace, and for `net.*` on a network that is not the step's own.
 */
export function createSysctls(
  sysctls: Readonly<Record<string, string>>,
  network: Network,
): Record<string, string> {
  for (const [name, value] of Object.entries(sysctls)) {
    const isNetwork = /^net\.[\w./-]+$/.test(name) && !name.includes("..");
    if (isNetwork && network !== "none" && network !== "bridge")
      refuse("sysctls", `${name}: the network is not the step's own`, ALLOWED);
    if (!isNetwork && !IPC_SYSCTLS.includes(name) && !/^fs\.mqueue\.\w+$/.test(name)) {
      refuse("sysctls", `${name}: it belongs to the whole host`, ALLOWED);
    }
    if (/[\0\r\n]/.test(value)) refuse("sysctls", `${name}: its value holds a line break or NUL`, ALLOWED);
  }
  return { ...sysctls };
}
