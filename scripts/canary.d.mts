export const CANARY: string;
export function findCanaries(text: string): string[];
