import { appendFileSync } from "node:fs";

/** Takes each line that a worker tells, and each fault that strikes or is healed. */
export type SoakLog = (entry: object) => void;

/** A log in a file, a line of JSON for each entry. Without a path, nothing is kept. */
export function createSoakLog(path: string | undefined): SoakLog {
  if (path === undefined) return () => undefined;
  return (entry) => appendFileSync(path, `${JSON.stringify({ at: new Date().toISOString(), ...entry })}\n`);
}
