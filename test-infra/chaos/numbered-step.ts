import { createHash } from "node:crypto";

/** A step whose exit code and output follow from its number, so that every result can be checked. */
export interface NumberedStep {
  readonly name: string;
  readonly run: string;
  readonly exitCode: number;
  readonly stdout: Buffer;
}

/** Exit codes are below this prime, so that neighbours differ. */
const CODES = 113;
const SIZES = [1, 7, 400, 3_000, 20_000];

export function numberedSteps(count: number): readonly NumberedStep[] {
  return Array.from({ length: count }, (_, number) => numberedStep(number));
}

/**
 * Step `number` of a soak: prints numbered lines, pauses in the middle, and leaves marks in the directory
 * `/ran`: a line in the file of its name as it begins, so that it has two if the step ran twice; and a file
 * `<name>.ended` as it ends.
 */
function numberedStep(number: number): NumberedStep {
  const name = `soak-${number}`;
  const lines = SIZES[number % SIZES.length] as number;
  const first = number * 100_000 + 1;
  const last = first + lines - 1;
  const middle = Math.floor((first + last) / 2);
  const exitCode = number % CODES;
  const pause = (number % 4) * 0.1;
  return {
    name,
    run: [
      `echo ran >> /ran/${name}`,
      `seq ${first} ${middle}`,
      `sleep ${pause}`,
      `seq ${middle + 1} ${last}`,
      `: > /ran/${name}.ended`,
      `exit ${exitCode}`,
    ].join("\n"),
    exitCode,
    get stdout() {
      return Buffer.from(linesBetween(first, last));
    },
  };
}

function linesBetween(first: number, last: number): string {
  return Array.from({ length: last - first + 1 }, (_, at) => `${first + at}\n`).join("");
}

/** The hash of the first bytes of a step's output. */
export function hashOf({ stdout }: NumberedStep, bytes: number): string {
  return createHash("sha256").update(stdout.subarray(0, bytes)).digest("hex");
}
