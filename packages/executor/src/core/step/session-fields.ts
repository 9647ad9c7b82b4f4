import { toSnakeCase } from "../units/name-case.js";
import { STEP_FIELDS } from "./schema.js";

/** The fields of a step that a session's container does not have. Its steps have most of them. */
export const PROCESS_FIELDS = {
  run: true,
  shell: true,
  command: true,
  args: true,
  init: true,
  timeout: true,
  timeoutMs: true,
  stopSignal: true,
  stopGrace: true,
  stopGraceMs: true,
  maxLogBytes: true,
  onLogLimit: true,
  retry: true,
} as const;

const processFields = new Set(Object.keys(PROCESS_FIELDS).map(toSnakeCase));

/** The names in step files of the fields that a session's container is made of. */
export const SESSION_FIELDS: ReadonlySet<string> = new Set(
  Object.keys(STEP_FIELDS).filter((name) => !processFields.has(name)),
);
