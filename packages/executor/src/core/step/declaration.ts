import type { z } from "zod";
import type { Policy } from "../policy/policy.js";

/** A flag of `wfe-containerd run` that sets a field. Names and values are docker's, where docker has it. */
export interface StepFieldFlag {
  /** Its names and the form of its value: `-w, --workdir <path>`. Without a value it is a switch. */
  readonly usage: string;
  /** Its whole help, if the field's own summary, example and default do not fit. */
  readonly help?: string | undefined;
  /** Whether it may be given several times. Default `false`. */
  readonly repeatable?: boolean | undefined;
  /** The values that it may have. Default: any. */
  readonly choices?: readonly string[] | undefined;
  /** Its value if it is not given. Default: none, and the field is left out. */
  readonly default?: string | undefined;
}

/** What people read about a field, and where else it appears. Texts name other fields in snake_case. */
export interface StepField {
  /** What the field does, in one sentence without the full stop. */
  readonly summary: string;
  /** More sentences: accepted forms, limits, effects that surprise. */
  readonly details?: string | undefined;
  /** What happens without the field, in words. */
  readonly default?: string | undefined;
  /** Values that the field accepts, as a step file writes them. */
  readonly examples?: readonly unknown[] | undefined;
  /** The keys of the policy that decide what steps may ask for with this field. */
  readonly policy?: readonly (keyof Policy)[] | undefined;
  /**
   * The flag of `run` that sets the field. A text: how errors name what sets it, without a flag of its
   * own.
   */
  readonly flag?: StepFieldFlag | string | undefined;
}

/** The one place that declares a field: what it accepts, and everything that is said about it. */
export interface FieldDeclaration<S extends z.ZodType = z.ZodType> extends StepField {
  readonly schema: S;
}

/** Declares a field of a step. Keeps its schema and its policy keys as types. */
export function declare<S extends z.ZodType, const P extends readonly (keyof Policy)[] = readonly []>(
  schema: S,
  text: StepField & { readonly policy?: P },
): FieldDeclaration<S> & { readonly policy?: P } {
  return { schema, ...text };
}

/** Returns all that is said about a field, as one text. */
export function describeField({ summary, details, default: standard }: StepField): string {
  return [
    `${summary}.`,
    ...(details === undefined ? [] : [details]),
    ...(standard === undefined ? [] : [`Default: ${standard}.`]),
  ].join(" ");
}
