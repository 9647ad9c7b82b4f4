/** Linux's limits: PATH_MAX, less the NUL at the end, and NAME_MAX. */
const MAX_PATH_BYTES = 4095;
const MAX_NAME_BYTES = 255;
/** A UTF-16 code unit takes at most three bytes in UTF-8. */
const fits = (text: string, maxBytes: number): boolean =>
  text.length * 3 <= maxBytes || new TextEncoder().encode(text).byteLength <= maxBytes;

/** Tells whether a path is absolute, within the kernel's limits, and without `.`, `..` and NUL. */
export const isPlainPath = (path: string): boolean =>
  path.startsWith("/") &&
  fits(path, MAX_PATH_BYTES) &&
  path.split("/").every((part) => fits(part, MAX_NAME_BYTES)) &&
  !path.includes("\0") &&
  !path.split("/").some((part) => part === ".." || part === ".");

/** Writes a checked path in one way: without doubled and trailing slashes. */
export const normalPath = (path: string): string =>
  `/${path
    .split("/")
    .filter((part) => part !== "")
    .join("/")}`;

/** Returns the directory of a path. */
export function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

/** Tells whether a normal path is the directory or lies in it. */
export function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === "/" ? "/" : `${directory}/`);
}
