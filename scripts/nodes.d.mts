export function findNode(major: number): Promise<{ path: string; version: string }>;
