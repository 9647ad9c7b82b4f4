/** What Linux takes: PATH_MAX, with the NUL at the end, and NAME_MAX. */
const MAX_PATH_BYTES = 4095;
const MAX_NAME_BYTES = 255;
/** A character of UTF-16 takes at most three bytes. */
const fits = (text: string, maxBytes: number): boolean =>
  text.length * 3 <= maxBytes || new TextEncoder().encode(text).byteLength <= maxBytes;

/** Absolute, not longer than the kernel takes, and without any part that leads elsewhere than it says. */
export const isPlainPath = (path: string): boolean =>
  path.startsWith("/") &&
  fits(path, MAX_PATH_BYTES) &&
  path.split("/").every((part) => fits(part, MAX_NAME_BYTES)) &&
  !path.includes("\0") &&
  !path.split("/").some((part) => part === ".." || part === ".");

/** One way to write a path that was checked: no doubled or trailing slash. */
export const normalPath = (path: string): string =>
  `/${path
    .split("/")
    .filter((part) => part !== "")
    .join("/")}`;

/** The directory that a path is in. */
export function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

/** Whether a normal path is a directory or lies in it. */
export function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === "/" ? "/" : `${directory}/`);
}
