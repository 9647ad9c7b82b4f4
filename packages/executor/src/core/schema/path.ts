import { noNul } from "./field.js";

/** Absolute, and without any part that leads elsewhere than it says. */
export const isPlainPath = (path: string): boolean =>
  path.startsWith("/") && noNul(path) && !path.split("/").some((part) => part === ".." || part === ".");

/** One way to write a path that was checked: no doubled or trailing slash. */
export const normalPath = (path: string): string =>
  `/${path
    .split("/")
    .filter((part) => part !== "")
    .join("/")}`;
