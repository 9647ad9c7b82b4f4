import { refuse } from "../core/refuse.js";
import type { Machine } from "../machine/machine.js";

const NEEDS = {
  terminal: "a terminal needs named pipes",
  stdin: "standard input needs a named pipe",
};

/**
 * Standard input and terminals need FIFOs, which carry no data between two machines.
 *
 * @param allowed what would be accepted instead.
 * @throws ExecutorError `refused`.
 */
export function requirePipes({ client, facts }: Machine, field: "terminal" | "stdin", allowed: string): void {
  if (client.isLocal && facts.locality !== "remote") return;
  refuse(field, `the daemon at ${client.address} is on another machine, and ${NEEDS[field]}`, allowed);
}
