import * as z from "zod";
import { isReservedTarget, RESERVED_DIRECTORIES } from "../policy/reserved-paths.js";
import { isPlainPath, normalPath } from "../units/path.js";
import { quote, refuseField, withPattern } from "./field.js";

/** A path in the container on which a step may mount something. */
export const target = withPattern(z.string(), /^\/+[^/]/).transform((value, context) => {
  const path = normalPath(value);
  if (!isPlainPath(value) || path === "/" || isReservedTarget(path)) {
    return refuseField(
      context,
      `${quote(value)} cannot be mounted on`,
      `an absolute path without . and .., not / and not in ${RESERVED_DIRECTORIES.join(", ")}; example: /data`,
    );
  }
  return path;
});
