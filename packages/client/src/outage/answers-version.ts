import { Code, ConnectError } from "@connectrpc/connect";
import type { Services } from "../context.js";
import { judgeFailure } from "./failure.js";

/**
 * Whether the daemon answers the cheapest call within this time. A refusal is an answer too.
 *
 * @throws ConnectError FailedPrecondition when the client is closed.
 */
export async function answersVersion(version: Services["version"], timeoutMs: number): Promise<boolean> {
  try {
    await version.version({}, { timeoutMs });
    return true;
  } catch (reason) {
    if (reason instanceof ConnectError && reason.code === Code.FailedPrecondition) throw reason;
    return judgeFailure(reason) === "answered";
  }
}
