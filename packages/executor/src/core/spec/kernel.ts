/**
 * Tells whether a kernel release, as uname(2) prints it (`6.1.0-13-amd64`), is this version or later. False
 * if it is unknown or unreadable.
 */
export function isKernelAtLeast(release: string | undefined, major: number, minor: number): boolean {
  const match = /^(\d+)\.(\d+)/.exec(release ?? "");
  if (match === null) return false;
  const [actualMajor, actualMinor] = [Number(match[1]), Number(match[2])];
  return actualMajor > major || (actualMajor === major && actualMinor >= minor);
}
