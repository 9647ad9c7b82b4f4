import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Trace } from "./trace.js";

/** What to call for each operation of one kind. Both get the same object. */
export interface OperationObserver<Message> {
  /** Called when the operation begins. */
  readonly start?: ((message: Readonly<Message>) => void) | undefined;
  /** Called when the operation is over: the message is complete. */
  readonly end?: ((message: Readonly<Message>) => void) | undefined;
}

/**
 * Finds what is wrong with the observers of several kinds of operations: a program without types learns of it
 * at once, and not in the middle of its work.
 */
export function findObserverProblems(observers: object): string[] {
  return Object.entries(observers).flatMap(([name, observer]) => {
    if (observer === undefined) return [];
    if (typeof observer !== "object" || observer === null)
      return [`${name}: is not an object; allowed: start and end, for example ${name}: { end(message) {} }`];
    return Object.entries(observer).flatMap(([when, call]) =>
      call === undefined || typeof call === "function"
        ? []
        : [`${name}.${when}: is not a function; allowed: a function that takes the message`],
    );
  });
}

/** @returns ends the subscription. */
export function subscribeTo<Message extends object>(
  { name }: Trace<Message>,
  { start, end }: OperationObserver<Message> = {},
): () => void {
  const stops = [
    [`tracing:${name}:start`, start] as const,
    [`tracing:${name}:asyncEnd`, end] as const,
  ].flatMap(([channel, observer]) => {
    if (observer === undefined) return [];
    const listener = (message: unknown): void => observer(message as Message);
    subscribe(channel, listener);
    return [() => void unsubscribe(channel, listener)];
  });
  return () => {
    for (const stop of stops) stop();
  };
}
