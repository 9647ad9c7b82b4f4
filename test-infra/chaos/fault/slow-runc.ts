import type { RuncCommand, RuncStandIn } from "../../daemon/runc-stand-in.js";
import type { Fault } from "./fault.js";

/** Lets the next calls of a command of runc take seconds. */
export function slowRunc(runc: RuncStandIn, command: RuncCommand): Fault {
  return {
    name: `runc ${command} is slow`,
    parts: ["runc"],
    phases: ["resolving"],
    lastsMs: 2_000,
    async strike() {
      await runc.before(command, "sleep 1.5", 2);
      return { heal: () => runc.heal() };
    },
    explains: () => false,
  };
}
