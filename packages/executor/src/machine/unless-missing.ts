/** For `catch`: a file or directory that is not there is no failure. */
export function unlessMissing(reason: NodeJS.ErrnoException): undefined {
  if (reason.code !== "ENOENT") throw reason;
}
