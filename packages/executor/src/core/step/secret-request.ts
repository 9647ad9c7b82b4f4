import * as z from "zod";
import { quote, refuseField, withPattern } from "./field.js";
import { target } from "./mount-target.js";

const SECRET_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;

export const USUAL_DIRECTORY = "/run/secrets";

/** The path at which a step has a secret if it names no other. */
export function usualTarget(name: string): string {
  return `${USUAL_DIRECTORY}/${name}`;
}

const secretFields = z
  .strictObject({
    name: withPattern(
      z.string().superRefine((value, context) => {
        if (!SECRET_NAME.test(value))
          refuseField(
            context,
            `${quote(value)} is not the name of a secret`,
            "1 to 64 letters, digits, dots, dashes and underscores, no dot or dash first",
          );
      }),
      SECRET_NAME,
    ),
    target: target
      .optional()
      .meta({ description: "Path of the file in the container. Default: /run/secrets/NAME." }),
    mask: z
      .boolean()
      .default(true)
      .meta({ description: "Whether the value is replaced by *** in the step's output." }),
  })
  .transform((secret) => ({ ...secret, target: secret.target ?? usualTarget(secret.name) }));

/** A secret that a step asks for: its name, or with the path of its file. */
export const secret = z.union([
  secretFields,
  withPattern(z.string(), SECRET_NAME)
    .transform((value) => ({ name: value }))
    .pipe(secretFields),
]);
