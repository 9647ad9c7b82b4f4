import type { StepLog } from "./step-log.js";
import type { StepWarning } from "./warning.js";

/** What became of a step's output. */
export interface LoggedStep {
  readonly log: StepLog;
  /** The directory of the output. */
  readonly directory: string;
  readonly maxLogBytes: number;
  /** Whether the step was stopped because it printed more than that. */
  readonly isOverLimit: boolean;
}

/** Says in words why output is missing, or why its output ended the step. */
export function findLogWarnings({ log, directory, maxLogBytes, isOverLimit }: LoggedStep): StepWarning[] {
  const warnings = log.gaps.flatMap(({ stream, offset, bytes, reason }): StepWarning[] => {
    switch (reason) {
      case "not-stored":
        return [
          {
            field: "ioDir",
            message: `ioDir: output is missing after byte ${offset} of ${stream}: it could not be written to ${directory}, whose disk is full, or was for a moment; free space there, or set ioDir (WFE_IO_DIR) to a directory on another disk`,
          },
        ];
      case "log-limit":
        return [
          {
            field: "max_log_bytes",
            message: `max_log_bytes: ${bytes} bytes of ${stream} from byte ${offset} on are not kept, because the step printed more than ${maxLogBytes} bytes`,
          },
        ];
      default:
        return [];
    }
  });
  if (!isOverLimit) return warnings;
  const message = `max_log_bytes: the step printed more than ${maxLogBytes} bytes and was stopped; allowed: a higher max_log_bytes, or on_log_limit: truncate or drop-oldest`;
  return [...warnings, { field: "max_log_bytes", message }];
}
