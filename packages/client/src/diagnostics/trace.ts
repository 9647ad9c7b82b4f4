import { type TracingChannel, tracingChannel } from "node:diagnostics_channel";
import { ContainerdError } from "../error.js";

/** What the messages of all channels have once the operation is over. */
interface OperationEnd {
  durationMs?: number | undefined;
  errorKind?: string | undefined;
}

/** An operation that was announced and is not over. */
export interface Running {
  /** Announces the end, once. Later calls do nothing. */
  end(failure?: { readonly reason: unknown }): void;
}

/** Publishes the operations of one kind. Ask `hasSubscribers` before you make a message. */
export interface Trace<Message extends object> {
  readonly name: string;
  readonly hasSubscribers: boolean;
  /** Announces an operation. */
  start(message: Message): Running;
  /**
   * Runs an operation inside of the stores that are bound to the channel.
   *
   * @param onResult adds the result to the message.
   */
  run<T>(message: Message, operation: () => Promise<T>, onResult?: (result: T) => void): Promise<T>;
}

/** @param name of the channels: `tracing:NAME:start` and so on. */
export function createTrace<Message extends OperationEnd>(name: string): Trace<Message> {
  const channel: TracingChannel<unknown, Message> = tracingChannel(name);
  const { start, end, asyncStart, asyncEnd, error } = channel;

  function track(message: Message): Running {
    const outcome: OperationEnd = message;
    const startedAt = performance.now();
    let isOver = false;
    return {
      end(failure) {
        if (isOver) return;
        isOver = true;
        outcome.durationMs = performance.now() - startedAt;
        if (failure !== undefined) {
          outcome.errorKind = errorKindOf(failure.reason);
          error.publish(message);
        }
        asyncStart.publish(message);
        asyncEnd.publish(message);
      },
    };
  }

  return {
    name,
    get hasSubscribers() {
      return (
        start.hasSubscribers ||
        asyncEnd.hasSubscribers ||
        end.hasSubscribers ||
        asyncStart.hasSubscribers ||
        error.hasSubscribers
      );
    },
    start(message) {
      const running = track(message);
      start.publish(message);
      end.publish(message);
      return running;
    },
    run(message, operation, onResult) {
      const running = track(message);
      return start.runStores(message, async () => {
        try {
          const promise = operation();
          end.publish(message);
          const result = await promise;
          onResult?.(result);
          running.end();
          return result;
        } catch (reason) {
          running.end({ reason });
          throw reason;
        }
      });
    },
  };
}

/** Errors of our packages have a kind. */
function errorKindOf(reason: unknown): string {
  const { kind } = (reason ?? {}) as { kind?: unknown };
  return typeof kind === "string" ? kind : ContainerdError.from(reason).kind;
}
