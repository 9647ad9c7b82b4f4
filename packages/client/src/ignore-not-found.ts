import { isContainerdError } from "./error.js";

/** The result, or undefined if containerd does not have what was asked for. Other errors are thrown. */
export async function ignoreNotFound<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (reason) {
    if (isContainerdError(reason, "not-found")) return undefined;
    throw reason;
  }
}
