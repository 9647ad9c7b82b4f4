import type { TerminalSize } from "../core/spec/terminal.js";
import type { KnownImages } from "../image/known-images.js";
import type { ImagePullOptions } from "../image/resolve-image.js";
import type { ReadUserFiles } from "../image/user-file-cache.js";
import type { IoBackend } from "../io/backend.js";
import type { IoRequest } from "../io/io.js";
import type { StdinSource } from "../io/stdin-source.js";
import type { EventQueue } from "../log/event-queue.js";
import type { Log } from "../log/log.js";
import type { LogLimit } from "../log/log-limit.js";
import type { Machine } from "../machine/machine.js";
import type { Machines } from "../machine/machines.js";
import type { Patience } from "../process/patience.js";
import type { StopSignals } from "../process/stop-signals.js";
import type { Rules } from "../resources/apply-policy.js";
import type { BaseLayers } from "../resources/base-layers.js";
import type { Release } from "../resources/release.js";

/** What all steps of one executor have in common. */
export interface ExecutorContext {
  readonly machines: Machines;
  readonly rules: Rules;
  readonly io: IoBackend;
  readonly pull: ImagePullOptions;
  readonly knownImages: KnownImages;
  readonly baseLayers: BaseLayers;
  readonly readUserFiles: ReadUserFiles;
  /** How many bytes of each stream a result contains. */
  readonly captureBytes: number;
  /** How long a step waits for a daemon that is away, in milliseconds. */
  readonly daemonTimeoutMs: number;
  /** How much of a step's output is kept, unless the step wants less. */
  readonly logLimit: LogLimit;
  /** Identifies the executor's process in labels. */
  owner(): Promise<string>;
}

/** What a process is connected to, besides its output. */
export interface ProcessStreams {
  /** What it reads from its standard input. Undefined: nothing. */
  readonly stdin?: StdinSource | undefined;
  /** The size of its terminal. Undefined: it has none. */
  readonly terminal?: TerminalSize | undefined;
  /** Whether its standard input stays open, for whoever attaches to it. */
  readonly openStdin?: boolean | undefined;
  /** Whether it can go on without this process: what it prints goes into files, from a terminal too. */
  readonly canOutlive?: boolean | undefined;
}

/** What its streams must be able to do. */
export function toIoRequest({ streams, signals }: Pick<StepContext, "streams" | "signals">): IoRequest {
  const { stdin, terminal, openStdin = false, canOutlive = false } = streams;
  return { stdin, openStdin, terminal: terminal !== undefined, canOutlive, stop: signals.stop };
}

/** What a step's run has in every stage, once its machine is known. */
export interface StepContext {
  /** The id of the container, and of everything else that the step uses in containerd. */
  readonly id: string;
  readonly executor: ExecutorContext;
  readonly machine: Machine;
  readonly signals: StopSignals;
  readonly streams: ProcessStreams;
  readonly patience: Patience;
  readonly events: EventQueue;
  readonly log: Log;
  readonly release: Release;
}
