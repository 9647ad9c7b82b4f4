export function findWrongImports(
  sources: readonly { readonly file: string; readonly text: string }[],
): string[];
