/**
 * Resolves when a stream whose `write` has returned false takes more, or is closed and never will. Leaves no
 * listener, so that it can be called as often as a large file needs it.
 */
export function drained(stream: NodeJS.EventEmitter): Promise<void> {
  return new Promise((resolve) => {
    const isOver = (): void => {
      stream.off("drain", isOver).off("close", isOver);
      resolve();
    };
    stream.on("drain", isOver).on("close", isOver);
  });
}
