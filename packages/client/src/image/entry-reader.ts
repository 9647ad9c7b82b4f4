import type { CallOptions } from "../call.js";
import type { Content } from "../content/content.js";
import type { Services } from "../context.js";
import type { ContainerdErrorOptions } from "../error.js";
import type { Snapshots } from "../snapshot.js";
import type { RootEntry } from "./path.js";

export interface EntryReader {
  readonly services: Services;
  readonly content: Content;
  readonly snapshots: Snapshots;
}

export interface ReadEntriesOptions {
  /** Largest size of a file, in bytes. */
  readonly maxBytes: number;
  readonly signal?: CallOptions["signal"];
}

/** An entry, or the reason why it cannot be read. */
export type EntryOutcome =
  | RootEntry
  | { readonly kind: "failed"; readonly problem: string; readonly error: ContainerdErrorOptions };

/**
 * Waits for a removal and ignores its error. The outcome of the read matters more, and deleting the caller's
 * lease removes the rest.
 */
export async function discard(removal: Promise<unknown>): Promise<void> {
  await removal.catch(() => undefined);
}
