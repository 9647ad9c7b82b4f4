// What every JavaScript runtime has, and no library of TypeScript but the browser's and Node's declares. For `src/core` alone.
declare class TextEncoder {
  encode(text: string): Uint8Array;
}
declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean });
  decode(bytes: Uint8Array): string;
}
