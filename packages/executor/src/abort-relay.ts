/**
 * Passes the abort of a signal on to any number of controllers, with one listener. A run of a workflow has
 * one signal for all of its steps, and Node warns of a leak from eleven listeners on.
 */
export interface AbortRelay {
  /**
   * Aborts the controller when the signal is aborted, at once if it already is.
   *
   * @returns ends that.
   */
  connect(signal: AbortSignal, controller: AbortController): () => void;
}

export function createAbortRelay(): AbortRelay {
  const followers = new Map<AbortSignal, Set<AbortController>>();

  function onAbort({ currentTarget }: Event): void {
    const signal = currentTarget as AbortSignal;
    const controllers = followers.get(signal) ?? [];
    followers.delete(signal);
    for (const controller of controllers) controller.abort(signal.reason);
  }

  return {
    connect(signal, controller) {
      if (signal.aborted) {
        controller.abort(signal.reason);
        return () => undefined;
      }
      const controllers = followers.get(signal) ?? new Set();
      if (controllers.size === 0) {
        followers.set(signal, controllers);
        signal.addEventListener("abort", onAbort, { once: true });
      }
      controllers.add(controller);
      return () => {
        controllers.delete(controller);
        if (controllers.size > 0 || followers.get(signal) !== controllers) return;
        followers.delete(signal);
        signal.removeEventListener("abort", onAbort);
      };
    },
  };
}
