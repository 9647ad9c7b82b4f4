import type { ListedStep } from "@wfe-containerd/executor";
import { type Column, momentColumn, printRows, type Row, STEP_ID_COLUMN } from "./rows.js";
import { shortName } from "./short-name.js";
import { formatAge } from "./table.js";

/** The labels of containers, by id. */
export type LabelsById = ReadonlyMap<string, Readonly<Record<string, string>>>;

/** Prints a list of steps, as `--format` asks for it. */
export function printSteps(
  steps: readonly ListedStep[],
  labels: LabelsById,
  options: { readonly format: string; readonly noTrunc?: boolean },
): Promise<void> {
  const rows = steps.map((step) => toRow(step, labels.get(step.id) ?? {}));
  return printRows(rows, { ...options, columns: COLUMNS, aliases: ALIASES });
}

const COLUMNS: readonly Column[] = [
  STEP_ID_COLUMN,
  { name: "step" },
  { name: "image", shorten: (name) => shortName(name) },
  {
    name: "status",
    isFixed: true,
    show: (status: string, { exitCode }) => (exitCode === undefined ? status : `${status} (${exitCode})`),
  },
  { name: "executor", isFixed: true },
  { name: "owner", isLoose: true },
  momentColumn("created"),
];

function toRow(
  { id, name, image, status, exitCode, executor, owner, createdAt }: ListedStep,
  labels: Readonly<Record<string, string>>,
): Row {
  const created = createdAt?.toISOString() ?? "";
  const ended = exitCode === undefined ? {} : { exitCode };
  const row = { id, step: name, image, status, ...ended, executor, owner, created };
  // Not in the JSON: templates read labels with docker's `.Label "key"`.
  return Object.defineProperty(row, "labels", { value: labels });
}

/** docker's names. */
const ALIASES: Readonly<Record<string, (row: Row) => unknown>> = {
  Names: ({ step }) => step,
  Name: ({ step }) => step,
  State: ({ status }) => status,
  CreatedAt: ({ created }) => created,
  RunningFor: ({ created }) => (created === "" ? "" : formatAge(new Date(String(created)), new Date())),
  Labels: ({ labels }) => labels,
  Label:
    ({ labels }) =>
    (key: unknown) =>
      (labels as Readonly<Record<string, string>>)[String(key)] ?? "",
};
