import { createHash } from "node:crypto";

/** A step whose exit code and output follow from its number, so that every result can be checked. */
export interface NumberedStep {
  readonly name: string;
  readonly run: string;
  readonly exitCode: number;
  readonly stdout: { readonly bytes: number; readonly sha256: string };
}

/** Exit codes are below this prime, so that neighbours differ. */
const CODES = 113;
const SIZES = [1, 7, 400, 3_000, 20_000];

export function numberedSteps(count: number): readonly NumberedStep[] {
  return Array.from({ length: count }, (_, number) => numberedStep(number));
}

/**
 * Step `number` of a soak: prints numbered lines, pauses in the middle, and adds a line to a file of its own
 * in the directory `/ran`. The file has two lines if the step ran twice.
 */
function numberedStep(number: number): NumberedStep {
  const lines = SIZES[number % SIZES.length] as number;
  const first = number * 100_000 + 1;
  const last = first + lines - 1;
  const middle = Math.floor((first + last) / 2);
  const exitCode = number % CODES;
  const pause = (number % 4) * 0.1;
  const expected = linesBetween(first, last);
  return {
    name: `soak-${number}`,
    run: [
      `echo ran >> /ran/${number}`,
      `seq ${first} ${middle}`,
      `sleep ${pause}`,
      `seq ${middle + 1} ${last}`,
      `exit ${exitCode}`,
    ].join("\n"),
    exitCode,
    stdout: {
      bytes: expected.length,
      sha256: createHash("sha256").update(expected).digest("hex"),
    },
  };
}

function linesBetween(first: number, last: number): string {
  return Array.from({ length: last - first + 1 }, (_, at) => `${first + at}\n`).join("");
}
