import type { Descriptor } from "@wfe-containerd/client";

/** An entry of `history` in an image's config. Source: OCI image spec, config.md. */
interface HistoryEntry {
  readonly created?: unknown;
  readonly created_by?: unknown;
  readonly comment?: unknown;
  readonly empty_layer?: unknown;
}

/** A line of `history`. */
export interface HistoryRow {
  readonly created: string;
  readonly createdBy: string;
  /** Packed, in bytes; 0 if the step changed no files. */
  readonly size: number;
  readonly comment: string;
  /** Digest of the layer; empty if the step changed no files. */
  readonly layer: string;
}

/**
 * Puts the steps of an image's build beside its layers, the newest first. A config need not have a history,
 * and a wrong one is possible: layers without an entry get a line of their own.
 *
 * @param layers lowest first.
 */
export function toHistory(history: unknown, layers: readonly Descriptor[]): HistoryRow[] {
  const rest = [...layers];
  const entries = (Array.isArray(history) ? history : []).map((each) => (each ?? {}) as HistoryEntry);
  const rows = entries.map(({ created, created_by, comment, empty_layer: isEmpty }) => {
    const layer = isEmpty === true ? undefined : rest.shift();
    return toRow({ created, createdBy: created_by, comment }, layer);
  });
  return [...rows, ...rest.map((layer) => toRow({}, layer))].toReversed();
}

function toRow(
  { created, createdBy, comment }: Partial<Record<"created" | "createdBy" | "comment", unknown>>,
  layer: Descriptor | undefined,
): HistoryRow {
  // The config comes from a registry: its fields may have any type.
  const text = (value: unknown): string => (typeof value === "string" ? value : "");
  return {
    created: text(created),
    createdBy: text(createdBy),
    size: layer?.size ?? 0,
    comment: text(comment),
    layer: layer?.digest ?? "",
  };
}
