import { z } from "zod";
import { parseShell } from "../plan/script.js";
import { MAX_STRING_BYTES } from "../spec/exec-size.js";
import { isPlainPath, normalPath } from "../units/path.js";
import { parseGroupAdd, parseUser } from "../user/user.js";
import { noNul, parsedBy, quote, refuseField, text } from "./field.js";

export const argument = text("text without NUL bytes", noNul);

const isName = (value: string): boolean => value !== "" && !/[=\0]/.test(value);
const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String);

export const env = z
  .union([
    z.record(z.string(), scalar),
    z.array(z.string()).transform((entries, context) => {
      const variables: Record<string, string> = {};
      for (const entry of entries) {
        const at = entry.indexOf("=");
        if (at < 1)
          return refuseField(
            context,
            `${quote(entry.slice(0, 80))} is not a variable`,
            "NAME=value; example: CI=true",
          );
        const key = entry.slice(0, at);
        if (Object.hasOwn(variables, key))
          return refuseField(context, `${key} is given twice`, "each name once");
        Object.defineProperty(variables, key, {
          value: entry.slice(at + 1),
          enumerable: true,
          configurable: true,
          writable: true,
        });
      }
      return variables;
    }),
  ])
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
        refuseField(context, `${key} has ${size} bytes`, `fewer than ${MAX_STRING_BYTES}, with its name`);
    }
  })
  .describe("Environment variables: a map, or a list of NAME=value.");

export const workingDir = text(
  "an absolute path without . and .., and not in /proc; example: /work",
  (value) => isPlainPath(value) && normalPath(value).split("/")[1] !== "proc",
).describe(
  "The directory in which the process starts; it is made if the image does not have it. Default: the image's own.",
);

export const user = z
  .union([z.string(), z.number().transform(String)])
  .superRefine((value, context) => {
    if (value !== "image") parsedBy(context, value, (given) => parseUser(given));
  })
  .describe(
    "The user that the process runs as: uid, uid:gid, name, name:group, or `image` for the image's own. Default 65534:65534.",
  );

export const shell = z
  .union([z.string(), z.array(z.string())])
  .transform((value, context) => {
    const argv = parseShell(value);
    return argv === undefined
      ? refuseField(
          context,
          `${quote(value)} is not a shell`,
          "sh, bash; a program, or a command without quotes, in which {0} is the script's file; or such a command as a list; example: python3 -u {0}",
        )
      : argv;
  })
  .describe(
    "Runs the script of `run`: sh (default: /bin/sh -e), bash (-e -o pipefail), or a command in which {0} is the script's file.",
  );

export const groupAdd = z
  .array(
    z.union([z.string(), z.number()]).transform((value, context) => parsedBy(context, value, parseGroupAdd)),
  )
  .describe("Further groups of the process: gids, or names of the image's.");

/** Signals of Linux that end a process, or that a process may take as an order to end. */
const SIGNAL =
  /^(?:SIG)?(?:HUP|INT|QUIT|ABRT|KILL|USR1|USR2|PIPE|ALRM|TERM|CONT|WINCH|IO|PWR|RTMIN(?:\+(?:[0-9]|1[0-5]))?|RTMAX(?:-(?:[0-9]|1[0-4]))?)$|^(?:[1-9]|[1-5][0-9]|6[0-4])$/;

export const stopSignal = text("SIGTERM, USR1, SIGRTMIN+3 and the like, or 1 to 64", (value) =>
  SIGNAL.test(value),
).describe("The signal that stops the process, before SIGKILL. Default: the image's own, else SIGTERM.");
