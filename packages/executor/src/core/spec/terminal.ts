import { requireThat } from "../refuse.js";

/** The size of a terminal, in characters. */
export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** The kernel's `struct winsize` has 16 bits for each. */
const MOST = 65_535;

/** @throws ExecutorError `refused` for a size that no terminal has. */
export function checkTerminal(size: TerminalSize | undefined): TerminalSize | undefined {
  if (size === undefined) return undefined;
  for (const side of ["columns", "rows"] as const) {
    const value = (size as Partial<TerminalSize> | null)?.[side];
    requireThat(
      Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MOST,
      `terminal.${side}`,
      value === undefined ? "is missing" : `${String(value)} is not a size`,
      `a whole number from 1 to ${MOST}; example: { columns: 80, rows: 24 }`,
    );
  }
  return { columns: size.columns, rows: size.rows };
}
