import { z } from "zod";
import { isExecutorError } from "../../error.js";
import { DURATION_FORMAT, parseDuration } from "../units/duration.js";
import { parseSize, SIZE_FORMAT } from "../units/size.js";

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

export function text(allowed: string, isValid: (value: string) => boolean): z.ZodString {
  return z.string().superRefine((value, context) => {
    if (!isValid(value)) refuseField(context, `${quote(value.slice(0, 80))} is not allowed`, allowed);
  });
}

export const size = z.union([z.string(), z.number()]).transform((value, context) => {
  const parsed = parseSize(String(value));
  return parsed === undefined || parsed === 0
    ? refuseField(context, `${quote(value)} is not a size`, SIZE_FORMAT)
    : parsed;
});

export function duration(isValid: (durationMs: number) => boolean = () => true) {
  return z.string().transform((value, context) => {
    const parsed = parseDuration(value);
    return parsed === undefined || !isValid(parsed)
      ? refuseField(context, `${quote(value.slice(0, 40))} is not a duration`, DURATION_FORMAT)
      : parsed;
  });
}

export function milliseconds(least: number) {
  return z.number().superRefine((value, context) => {
    if (Number.isSafeInteger(value) && value >= least) return;
    refuseField(context, `${value} is not a duration`, `a whole number of milliseconds, ${least} or more`);
  });
}

export function integer(least: number, most: number) {
  return z.number().superRefine((value, context) => {
    if (Number.isSafeInteger(value) && value >= least && value <= most) return;
    refuseField(context, `${value} is not allowed`, `a whole number from ${least} to ${most}`);
  });
}
