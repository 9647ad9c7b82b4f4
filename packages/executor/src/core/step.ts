import { closest, distance } from "fastest-levenshtein";
import { z } from "zod";
import { ExecutorError, type Issue } from "../error.js";
import { type StepFile, stepSchema } from "./step-schema.js";

/** A step, checked: durations in milliseconds, sizes in bytes. */
export interface StepConfig {
  readonly name: string;
  readonly image: string;
  /** Replaces the image's entrypoint. Undefined: the image's own program. */
  readonly command?: readonly string[] | undefined;
  /** Replaces the image's arguments. */
  readonly args?: readonly string[] | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly volumes: readonly {
    readonly source: string;
    readonly target: string;
    readonly readonly: boolean;
  }[];
  readonly workingDir?: string | undefined;
  readonly user?: string | undefined;
  readonly network: "none" | "host";
  readonly memoryBytes?: number | undefined;
  readonly cpus?: number | undefined;
  readonly pull: "always" | "if-not-present" | "never";
  readonly containerdAddr?: string | undefined;
  readonly tls?:
    | {
        readonly ca?: string | undefined;
        readonly cert?: string | undefined;
        readonly key?: string | undefined;
      }
    | undefined;
  readonly registryAuth?:
    | Readonly<Record<string, { readonly username: string; readonly password: string }>>
    | undefined;
  readonly timeoutMs?: number | undefined;
  readonly stopGraceMs?: number | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

type Camel<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : S;
type FileInput = z.input<typeof stepSchema>;

/** A step as TypeScript writes it: the fields of a step file in camelCase. A step file's own snake_case is taken too. */
export type StepInput = { readonly [K in keyof FileInput as Camel<K & string>]: FileInput[K] } | FileInput;

/**
 * Checks a step: the one place that does.
 *
 * @throws ExecutorError `invalid-step`, with an issue for everything that is wrong.
 */
export function parseStep(input: unknown): StepConfig {
  const { value, spelling, issues } = toSnakeCase(input);
  const parsed = stepSchema.safeParse(value);
  const all = parsed.success
    ? issues
    : [...issues, ...parsed.error.issues.flatMap((issue) => toIssues(issue, spelling))];
  if (parsed.success) all.push(...checkExclusive(parsed.data, spelling));
  if (all.length > 0 || !parsed.success) throw invalidStep(all);
  return toConfig(parsed.data);
}

/** A JSON Schema (2020-12) of step files: for editors, and for whoever writes steps by program. */
export function stepJsonSchema(): object {
  return {
    ...z.toJSONSchema(stepSchema, { io: "input", unrepresentable: "any" }),
    title: "A step for wfe-containerd",
  };
}

function toConfig(step: StepFile): StepConfig {
  return {
    name: step.name,
    image: step.image,
    command: step.run === undefined ? step.command : ["/bin/sh", "-c", step.run],
    args: step.args,
    env: step.env,
    volumes: step.volumes,
    workingDir: step.working_dir,
    user: step.user,
    network: step.network,
    memoryBytes: step.memory,
    cpus: step.cpu,
    pull: step.pull,
    containerdAddr: step.containerd_addr,
    tls: step.tls,
    registryAuth: step.registry_auth,
    timeoutMs: step.timeout_ms ?? step.timeout,
    stopGraceMs: step.stop_grace_ms ?? step.stop_grace,
    labels: step.labels,
  };
}

const EXCLUSIVE = [
  ["run", "command"],
  ["run", "args"],
  ["timeout", "timeout_ms"],
  ["stop_grace", "stop_grace_ms"],
] as const;

function checkExclusive(step: StepFile, spelling: Spelling): Issue[] {
  return EXCLUSIVE.filter(([one, other]) => step[one] !== undefined && step[other] !== undefined).map(
    ([one, other]) => ({
      field: spelling(one),
      message: `it is given together with ${spelling(other)}`,
      allowed: "one of them",
    }),
  );
}

/** A field's name as whoever wrote the step spelt it. */
type Spelling = (field: string) => string;

/** Step files are written in snake_case, programs in camelCase; each is taken, and errors speak the language of the input. */
function toSnakeCase(input: unknown): { value: unknown; spelling: Spelling; issues: Issue[] } {
  const written = new Map<string, string>();
  const issues: Issue[] = [];
  const spelling: Spelling = (field) => written.get(field) ?? field;
  if (typeof input !== "object" || input === null || Array.isArray(input))
    return { value: input, spelling, issues };
  const value: Record<string, unknown> = {};
  for (const [key, entry] of Object.entries(input)) {
    if (entry === undefined) continue;
    const snake = key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const field = Object.hasOwn(stepSchema.shape, snake) ? snake : key;
    if (Object.hasOwn(value, field)) {
      issues.push({
        field: key,
        message: `it is given together with ${spelling(field)}`,
        allowed: "one of them",
      });
    }
    written.set(field, key);
    Object.defineProperty(value, field, {
      value: entry,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return { value, spelling, issues };
}

function toIssues(issue: z.core.$ZodIssue, spelling: Spelling): Issue[] {
  const field = fieldName(issue.path, spelling);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      field: field === "" ? key : `${field}.${key}`,
      message: `there is no such field${issue.path.length === 0 ? suggestion(key) : ""}`,
    }));
  }
  if (issue.code === "invalid_union") {
    // Of several forms, the one that came furthest says best what is wrong.
    const deepest = issue.errors.flat().toSorted((a, b) => rank(b) - rank(a))[0];
    if (deepest !== undefined && rank(deepest) > 0) {
      return toIssues({ ...deepest, path: [...issue.path, ...deepest.path] }, spelling);
    }
    return [{ field, message: issue.message }];
  }
  const allowed = issue.code === "custom" ? (issue.params?.["allowed"] as string | undefined) : undefined;
  return [
    {
      field: field === "" ? "step" : field,
      message: issue.message,
      ...(allowed !== undefined && { allowed }),
    },
  ];
}

function rank(issue: z.core.$ZodIssue): number {
  if (issue.code === "custom") return 3;
  return issue.code === "invalid_type" && issue.path.length === 0 ? 0 : 1 + issue.path.length;
}

function fieldName(path: readonly PropertyKey[], spelling: Spelling): string {
  return path
    .map((part, at) =>
      typeof part === "number" ? `[${part}]` : at === 0 ? spelling(String(part)) : `.${String(part)}`,
    )
    .join("");
}

function suggestion(key: string): string {
  const known = Object.keys(stepSchema.shape);
  const nearest = closest(key.toLowerCase(), known);
  return distance(key.toLowerCase(), nearest) <= Math.max(2, key.length / 3)
    ? `; did you mean ${nearest}?`
    : "";
}

function invalidStep(issues: readonly Issue[]): ExecutorError {
  const lines = issues.map(
    ({ field, message, allowed }) =>
      `${field}: ${message}${allowed === undefined ? "" : `; allowed: ${allowed}`}`,
  );
  const head =
    lines.length === 1 ? "the step is not valid" : `the step is not valid, in ${lines.length} places`;
  return new ExecutorError(`${head}: ${lines.join("; ")}`, { kind: "invalid-step", issues });
}
