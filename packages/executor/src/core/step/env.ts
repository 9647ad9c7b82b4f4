import * as z from "zod";
import { MAX_STRING_BYTES } from "../spec/exec-size.js";
import { noNul, quote, refuseField, withPattern } from "./field.js";

const isName = (value: string): boolean => value !== "" && !/[=\0]/.test(value);
const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String);

const entries = z.array(withPattern(z.string(), /^[^=]+=/)).transform((given, context) => {
  const variables: Record<string, string> = {};
  for (const entry of given) {
    const at = entry.indexOf("=");
    if (at < 1)
      return refuseField(
        context,
        `${quote(entry.slice(0, 80))} is not NAME=value`,
        "NAME=value; example: CI=true",
      );
    const key = entry.slice(0, at);
    if (Object.hasOwn(variables, key)) return refuseField(context, `${key} is given twice`, "each name once");
    Object.defineProperty(variables, key, {
      value: entry.slice(at + 1),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return variables;
});

/** Environment variables: a map, or a list of `NAME=value`. */
export const env = z
  .union([z.record(withPattern(z.string(), /^[^=]+$/), scalar), entries])
  .superRefine((variables, context) => {
    for (const [key, value] of Object.entries(variables)) {
      const size = new TextEncoder().encode(`${key}=${value}`).byteLength;
      if (!isName(key))
        refuseField(
          context,
          `${quote(key.slice(0, 80))} is not a valid name`,
          "a name without = and NUL bytes",
        );
      else if (!noNul(value))
        refuseField(context, `the value of ${key} has a NUL byte`, "a value without NUL bytes");
      else if (size >= MAX_STRING_BYTES)
        refuseField(
          context,
          `${key} has ${size} bytes`,
          `fewer than ${MAX_STRING_BYTES} bytes for the name and the value together`,
        );
    }
  });
