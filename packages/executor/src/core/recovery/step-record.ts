import * as z from "zod";

/** The name of the extension of a container's record that has the step's record. */
export const RECORD_EXTENSION = "wfe-containerd.step";

const VERSION = 1;
const TYPE_PREFIX = `${RECORD_EXTENSION}/v`;

const moment = z.object({
  boot: z.object({ id: z.string(), uptimeMs: z.number() }).optional(),
  daemonMs: z.number(),
});
const cause = z.enum([
  "exit",
  "signal",
  "timeout",
  "aborted",
  "oom",
  "log-io-failed",
  "runtime-lost",
  "container-ended",
  "unknown",
]);

export const runSchema = z.object({
  runId: z.string(),
  key: z.string(),
  attempt: z.int(),
  /** A short hash of each field of the step. */
  fields: z.record(z.string(), z.string()),
  /** How long the result is to stay after the step is released, in milliseconds. Undefined: not at all. */
  keepResultMs: z.number().optional(),
});

const schema = z.object({
  /**
   * How far the step is.
   *
   * - `preparing`: its process was not started.
   * - `ready`: its process may have been started. Without a task, nobody knows what became of it.
   * - `stopping`: it is being stopped, because of `stopCause`.
   * - `exited`: it has ended, as `exit` says. Its task may be deleted.
   */
  state: z.enum(["preparing", "ready", "stopping", "exited"]),
  name: z.string(),
  image: z.object({
    name: z.string(),
    digest: z.string(),
    /** The digest of its config. */
    config: z.string().optional(),
  }),
  /** The process that runs the step, or has adopted it: the client's `currentOwner`. */
  owner: z.string(),
  /** How often the step was adopted. */
  claim: z.int().min(0),
  /** Which attempt of which run it is, if its caller has said it. */
  run: runSchema.optional(),
  output: z.object({
    directory: z.string(),
    mode: z.enum(["file", "fifo"]),
    /** What marks the end of each stream, in hex. */
    seal: z.string().regex(/^(?:[0-9a-f]{2})+$/),
  }),
  /** Whether its standard input stays open, for whoever attaches to it. */
  openStdin: z.boolean().optional(),
  /** Whether it has a terminal. */
  terminal: z.boolean().optional(),
  /** The names of its secrets, the paths of their files, and whether their values are masked. */
  secrets: z.array(z.object({ name: z.string(), target: z.string().optional(), mask: z.boolean() })),
  stop: z.object({ signal: z.string(), graceMs: z.number() }),
  log: z.object({ maxBytes: z.number(), policy: z.enum(["fail", "truncate", "drop-oldest"]) }),
  /** The step's field that names its program. */
  programField: z.string(),
  /** When its process was started, in milliseconds since 1970, by the clock of its executor. */
  startedAtMs: z.number().optional(),
  /** When its time is over. Undefined: it has no time limit, or was not started. */
  deadline: moment.optional(),
  stopCause: cause.optional(),
  exit: z
    .object({
      exitCode: z.int().nullable(),
      cause,
      oomKills: z.number(),
      usage: z.object({
        cpuTimeMs: z.number().nullable(),
        peakMemoryBytes: z.number().nullable(),
      }),
      durationMs: z.number(),
    })
    .optional(),
});

/** What another process needs to take a step over. It lies on the step's container, without secret values. */
export type StepRecord = Readonly<z.infer<typeof schema>>;

/** A step's record as a value of containerd. */
export interface RecordValue {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

/** What was found on a container in place of a record. */
export type FoundRecord =
  | { readonly kind: "record"; readonly record: StepRecord }
  | { readonly kind: "none" }
  | { readonly kind: "unreadable"; readonly problem: string };

export function toRecordValue(record: StepRecord): RecordValue {
  return { typeUrl: `${TYPE_PREFIX}${VERSION}`, value: new TextEncoder().encode(JSON.stringify(record)) };
}

/** Reads a step's record. One of a newer version is not guessed at. */
export function readRecord(value: RecordValue | undefined): FoundRecord {
  if (value === undefined) return { kind: "none" };
  const { typeUrl } = value;
  if (!typeUrl.startsWith(TYPE_PREFIX)) return unreadable(`has the unknown type ${JSON.stringify(typeUrl)}`);
  const version = typeUrl.slice(TYPE_PREFIX.length);
  if (version !== String(VERSION))
    return unreadable(
      `has version ${JSON.stringify(version)}, and this version of the package reads ${VERSION}; update it`,
    );
  const parsed = schema.safeParse(parseJson(value.value));
  if (parsed.success) return { kind: "record", record: parsed.data };
  const [issue] = parsed.error.issues;
  return unreadable(`is damaged at ${JSON.stringify(issue?.path.join(".") ?? "")}: ${issue?.message ?? ""}`);
}

function unreadable(problem: string): FoundRecord {
  return { kind: "unreadable", problem: `the step's record ${problem}` };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

/** The fields of which two hashes of a step differ, in order. */
export function differingFields(
  one: Readonly<Record<string, string>>,
  other: Readonly<Record<string, string>>,
): string[] {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].filter((name) => one[name] !== other[name]).toSorted();
}
