import * as z from "zod";
import { endReason } from "../output/reason.js";
import type { StepResult } from "../output/result.js";
import { runSchema, type StepRecord } from "./step-record.js";

const PREFIX = "wfe-containerd/result.";
/** containerd takes 4096 bytes for a label, with its key. */
const PART_LENGTH = 4_000;
/** So that a daemon with thousands of results can still list them. */
const MOST_PARTS = 16;

const schema = z.object({
  run: runSchema,
  name: z.string(),
  exitCode: z.int().nullable(),
  cause: z.custom<StepResult["cause"]>((value) => typeof value === "string"),
  oomKills: z.number(),
  usage: z.object({ cpuTimeMs: z.number().nullable(), peakMemoryBytes: z.number().nullable() }),
  outputs: z.record(z.string(), z.string()),
  startedAtMs: z.number(),
  durationMs: z.number(),
  /** How much it had printed. */
  bytes: z.object({ stdout: z.number(), stderr: z.number() }),
});

/** What stays of an attempt that was released: its result, without its output. */
export type KeptResult = Readonly<z.infer<typeof schema>>;

export function toKeptResult(run: NonNullable<StepRecord["run"]>, result: StepResult): KeptResult {
  const { name, exitCode, cause, oomKills, usage, outputs, startedAt, durationMs, log } = result;
  return {
    run,
    name,
    exitCode,
    cause,
    oomKills,
    usage,
    outputs,
    startedAtMs: startedAt.getTime(),
    durationMs,
    bytes: { stdout: log.stdout.bytes, stderr: log.stderr.bytes },
  };
}

/**
 * Puts a result into labels of a lease, whose expiry then ends it.
 *
 * @returns undefined if its outputs are too long.
 */
export function toResultLabels(kept: KeptResult): Record<string, string> | undefined {
  // In ASCII, so that it can be cut anywhere.
  const text = JSON.stringify(kept).replaceAll(
    /[\u007f-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  const count = Math.ceil(text.length / PART_LENGTH);
  if (count > MOST_PARTS) return undefined;
  return Object.fromEntries(
    Array.from({ length: count }, (_, part) => [
      `${PREFIX}${part}`,
      text.slice(part * PART_LENGTH, (part + 1) * PART_LENGTH),
    ]),
  );
}

/** Undefined: there is no such label, or another version has written it. */
export function readResultLabels(labels: Readonly<Record<string, string>>): KeptResult | undefined {
  let text = "";
  for (let part = 0; labels[`${PREFIX}${part}`] !== undefined; part++) text += labels[`${PREFIX}${part}`];
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Its output is gone, and it says so. */
export function fromKeptResult(id: string, kept: KeptResult): StepResult {
  const { name, exitCode, cause, oomKills, usage, outputs, startedAtMs, durationMs, bytes } = kept;
  const streams = ["stdout", "stderr"] as const;
  const gaps = streams
    .filter((stream) => bytes[stream] > 0)
    .map((stream) => ({ stream, offset: 0, bytes: bytes[stream], reason: "not-read" as const }));
  const none = { bytes: 0, tail: "", omittedBytes: 0 };
  return {
    name,
    ok: cause === "exit" && exitCode === 0,
    exitCode,
    cause,
    reason: endReason(kept),
    oomKills,
    usage,
    stdout: "",
    stderr: "",
    truncated: gaps.length > 0,
    log: { complete: gaps.length === 0, gaps, stdout: none, stderr: none },
    outputs,
    outputIssues: [],
    warnings: [],
    startedAt: new Date(startedAtMs),
    durationMs,
    attempts: [{ id, cause, exitCode, durationMs }],
  };
}
