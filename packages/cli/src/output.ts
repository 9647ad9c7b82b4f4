import { OutputError } from "./failure.js";

/** Writes, and waits while the reader is slow. @throws OutputError when it cannot be written. */
export async function writeOutput(stream: NodeJS.WriteStream, data: Uint8Array | string): Promise<void> {
  // A failed write is reported to its callback; without a listener the stream's event would end the process as well.
  if (!stream.listeners("error").includes(ignore)) stream.on("error", ignore);
  await new Promise<void>((resolve, reject) => {
    stream.write(data, (cause) => (cause == null ? resolve() : reject(new OutputError(cause))));
  });
}

/** Standard error may be gone, as a closed terminal is: what is said there is then lost, and nothing else. */
export function ignoreLostMessages(): void {
  process.stderr.on("error", ignore);
}

function ignore(): void {}
