import { refuse } from "../core/refuse.js";
import type { Machine } from "../machine/machine.js";

const NEEDS = {
  terminal: "a terminal needs named pipes",
  stdin: "standard input that stays open needs a named pipe",
};

/** Whether a FIFO carries data between us and a daemon. Between two machines it carries none. */
export function hasPipes({ client, facts }: Machine): boolean {
  return client.isLocal && facts.locality !== "remote";
}

/**
 * @param allowed what would be accepted in place of something that needs a FIFO.
 * @throws ExecutorError `refused`.
 */
export function requirePipes(machine: Machine, field: "terminal" | "stdin", allowed: string): void {
  if (hasPipes(machine)) return;
  const { client } = machine;
  refuse(field, `the daemon at ${client.address} is on another machine, and ${NEEDS[field]}`, allowed);
}
