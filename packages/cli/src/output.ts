import { OutputError } from "./failure.js";

/** Writes data, and waits while the reader is slow. @throws OutputError when the stream cannot be written. */
export async function writeOutput(stream: NodeJS.WriteStream, data: Uint8Array | string): Promise<void> {
  // The callback gets a write's failure. Without a listener, the "error" event would also end the process.
  if (!stream.listeners("error").includes(ignore)) stream.on("error", ignore);
  await new Promise<void>((resolve, reject) => {
    stream.write(data, (cause) => (cause == null ? resolve() : reject(new OutputError(cause))));
  });
}

/** Ignores errors of standard error: its terminal may be closed. Then only the messages are lost. */
export function ignoreLostMessages(): void {
  process.stderr.on("error", ignore);
}

function ignore(): void {}
