export function runVitest(
  args: readonly string[],
  options?: { readonly node?: string; readonly env?: Readonly<Record<string, string>> },
): Promise<{
  readonly passed: number;
  readonly failed: number;
  readonly skipped?: number;
  readonly failures?: readonly string[];
}>;
