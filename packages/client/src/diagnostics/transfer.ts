import type { Descriptor } from "../oci/descriptor.js";
import { TRANSFER } from "./channels.js";
import type { TransferDiagnostic } from "./messages.js";

/** Runs a pull or a push as a whole. */
export function traceTransfer<T extends { readonly target: Pick<Descriptor, "digest"> }>(
  operation: TransferDiagnostic["operation"],
  image: string,
  { address, namespace }: Pick<TransferDiagnostic, "address" | "namespace">,
  via: TransferDiagnostic["via"] = "client",
  transfer: () => Promise<T>,
): Promise<T> {
  if (!TRANSFER.hasSubscribers) return transfer();
  const message: TransferDiagnostic = {
    operation,
    image,
    address,
    namespace,
    via,
    digest: undefined,
    durationMs: undefined,
    errorKind: undefined,
  };
  return TRANSFER.run(message, transfer, ({ target }) => {
    message.digest = target.digest;
  });
}
