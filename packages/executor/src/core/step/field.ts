import * as z from "zod";
import { isExecutorError } from "../../error.js";
import { DURATION_FORMAT, DURATION_PATTERN, parseDuration } from "../units/duration.js";
import { parseSize, SIZE_FORMAT, SIZE_PATTERN } from "../units/size.js";

/** Adds an issue in plain words: what is wrong, and what is allowed. */
export function refuseField(context: z.RefinementCtx, message: string, allowed: string): never {
  context.addIssue({ code: "custom", message, params: { allowed } });
  return z.NEVER;
}

/** Returns a given value as errors show it: at most 200 characters. */
export function quote(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 200) ?? String(value);
}

/** Parses a value with one of the core's own parsers. Its refusals become the field's issues. */
export function parsedBy<In, Out>(context: z.RefinementCtx, value: In, parse: (value: In) => Out): Out {
  try {
    return parse(value);
  } catch (reason) {
    if (!isExecutorError(reason)) throw reason;
    for (const { message, allowed = "" } of reason.issues) refuseField(context, message, allowed);
    return z.NEVER;
  }
}

export const noNul = (value: string): boolean => !value.includes("\0");

/**
 * Adds a pattern to the JSON Schema of a text. Editors check by it. It may accept more than we do, and never
 * less.
 */
export function withPattern<S extends z.ZodType>(schema: S, pattern: RegExp): S {
  return schema.meta({ ...schema.meta(), pattern: pattern.source });
}

/**
 * A text. A check that is a regular expression is also the pattern in the JSON Schema.
 *
 * @param pattern the pattern for the JSON Schema, if the check is a function
 */
export function text(
  allowed: string,
  check: RegExp | ((value: string) => boolean),
  pattern: RegExp | undefined = check instanceof RegExp ? check : undefined,
): z.ZodString {
  const isValid = check instanceof RegExp ? (value: string) => check.test(value) : check;
  const schema = z.string().superRefine((value, context) => {
    if (!isValid(value)) refuseField(context, `${quote(value.slice(0, 80))} is not allowed`, allowed);
  });
  return pattern === undefined ? schema : withPattern(schema, pattern);
}

export const size = z
  .union([withPattern(z.string(), SIZE_PATTERN), z.number()])
  .transform((value, context) => {
    const parsed = parseSize(String(value));
    return parsed === undefined || parsed === 0
      ? refuseField(context, `${quote(value)} is not a size`, SIZE_FORMAT)
      : parsed;
  });

export function duration(isValid: (durationMs: number) => boolean = () => true) {
  return withPattern(z.string(), DURATION_PATTERN).transform((value, context) => {
    const parsed = parseDuration(value);
    return parsed === undefined || !isValid(parsed)
      ? refuseField(context, `${quote(value.slice(0, 40))} is not a duration`, DURATION_FORMAT)
      : parsed;
  });
}

export function milliseconds(least: number) {
  return z
    .number()
    .superRefine((value, context) => {
      if (Number.isSafeInteger(value) && value >= least) return;
      refuseField(context, `${value} is not a duration`, `a whole number of milliseconds, ${least} or more`);
    })
    .meta({ type: "integer", minimum: least });
}

export function integer(least: number, most: number) {
  return z
    .number()
    .superRefine((value, context) => {
      if (Number.isSafeInteger(value) && value >= least && value <= most) return;
      refuseField(context, `${value} is not allowed`, `a whole number from ${least} to ${most}`);
    })
    .meta({ type: "integer", minimum: least, maximum: most });
}
