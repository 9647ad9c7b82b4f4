import * as z from "zod";
import { confinementFields } from "./confinement.js";
import type { FieldDeclaration, StepField } from "./declaration.js";
import { executionFields } from "./execution.js";
import { filesystemFields } from "./filesystem.js";
import { networkFields } from "./network.js";
import { processFields } from "./process.js";
import { resourceFields } from "./resources.js";

/** Every field of a step, by topic, in the order of the documentation. */
export const FIELD_GROUPS = {
  process: { ...processFields, ...executionFields },
  files: filesystemFields,
  network: networkFields,
  limits: resourceFields,
  isolation: confinementFields,
};

const fields = {
  ...FIELD_GROUPS.process,
  ...FIELD_GROUPS.files,
  ...FIELD_GROUPS.network,
  ...FIELD_GROUPS.limits,
  ...FIELD_GROUPS.isolation,
};

type Fields = typeof fields;

/** A field of a step, as step files name it. */
export type FieldName = keyof Fields;

/** A key of the policy that decides about a field. */
export type PolicyKeyOf<F extends FieldName> = NonNullable<Fields[F]["policy"]>[number];

/**
 * What is said about each field of a step, by its name in step files: its description, its default, and the
 * flag of `wfe-containerd run` that sets it.
 */
export const STEP_FIELDS: Readonly<Record<string, StepField>> = fields;

function shapeOf<F extends Readonly<Record<string, FieldDeclaration>>>(
  declarations: F,
): { [K in keyof F]: F[K]["schema"] } {
  const shape = Object.entries(declarations).map(([name, { schema }]) => [name, schema]);
  return Object.fromEntries(shape) as { [K in keyof F]: F[K]["schema"] };
}

/**
 * A step as written in a file. This is the one source of what is accepted, of its types, and of its JSON
 * Schema.
 */
export const stepSchema = z.strictObject(shapeOf(fields));

/** A parsed step file, with defaults. */
export type StepFile = z.output<typeof stepSchema>;
