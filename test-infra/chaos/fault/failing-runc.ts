import { readFile } from "node:fs/promises";
import { FAIL, type RuncCommand, type RuncStandIn } from "../../daemon/runc-stand-in.js";
import { isDaemonEnd } from "./end-daemon.js";
import type { Fault } from "./fault.js";

/** The ids of containers, and of further processes in them, among the arguments of runc. */
const ID = /(?:wfe|exec)-[0-9a-f]+/g;

/** Lets the next call of a command of runc fail. One that is to make a process fails before it has. */
export function failingRunc(runc: RuncStandIn, command: RuncCommand): Fault {
  let strikes = 0;
  return {
    name: `runc ${command} fails`,
    parts: ["runc"],
    phases: ["resolving"],
    lastsMs: 1_000,
    async strike() {
      const failed = `${runc.binDir}/failed.${command}.${strikes++}`;
      await runc.before(command, `echo "$*" >> '${failed}'; ${FAIL}`);
      const ids = new Set<string>();
      return {
        ids,
        async heal() {
          await runc.heal();
          const text = await readFile(failed, "utf8").catch(() => "");
          for (const [id] of text.matchAll(ID)) ids.add(id);
        },
      };
    },
    explains({ cause, marks }, _, around) {
      if (command === "delete") return false;
      // After an outage, a process that cannot be started may have been started before it.
      if (cause === "unknown" && command === "start") return marks.runs === 0 && around.some(isDaemonEnd);
      return cause === "runtime" && marks.runs === 0;
    },
  };
}
