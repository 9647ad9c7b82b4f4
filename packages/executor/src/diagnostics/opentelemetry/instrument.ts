import { type MeterProvider, metrics, type TracerProvider, trace } from "@opentelemetry/api";
import type { OptionNames } from "@wfe-containerd/client/internal";
import { ExecutorError } from "../../error.js";
import { checkOptions } from "../../options.js";
import { startMetrics } from "./metrics.js";
import { startSpans } from "./spans.js";

/** Options of {@link instrument}. */
export interface InstrumentOptions {
  /** Default: OpenTelemetry's global one. */
  readonly tracerProvider?: TracerProvider | undefined;
  /** Default: OpenTelemetry's global one. */
  readonly meterProvider?: MeterProvider | undefined;
}

const OPTIONS: OptionNames<InstrumentOptions> = { tracerProvider: true, meterProvider: true };
const NAME = "@wfe-containerd/executor";

/**
 * Makes spans and metrics of everything that the executors and clients of this process do from now on. Call
 * it once, after the SDK of OpenTelemetry has been started.
 *
 * A step is a span, its phases are its children, and RPCs, pulls and requests to registries are below these.
 * The step's parent is the span that is current where it is started.
 *
 * @returns ends it. Operations that have begun are then not ended in OpenTelemetry.
 * @throws ExecutorError `invalid-argument` for an unknown option, and for one that is not a provider.
 * @example
 * ```ts
 * import { instrument } from "@wfe-containerd/executor/opentelemetry";
 *
 * const stop = instrument();
 * ```
 */
export function instrument(options: InstrumentOptions = {}): () => void {
  checkOptions("instrument", options, OPTIONS);
  checkProvider("tracerProvider", options.tracerProvider, "getTracer");
  checkProvider("meterProvider", options.meterProvider, "getMeter");
  const tracers = options.tracerProvider ?? trace;
  const meters = options.meterProvider ?? metrics;
  const stops = [startSpans(tracers.getTracer(NAME)), startMetrics(meters.getMeter(NAME))];
  return () => {
    for (const stop of stops) stop();
  };
}

function checkProvider(field: string, provider: object | undefined, method: string): void {
  if (provider === undefined || (typeof provider === "object" && provider !== null && method in provider))
    return;
  throw new ExecutorError(`${field}: has no ${method}; allowed: a provider of an SDK of OpenTelemetry`, {
    kind: "invalid-argument",
  });
}
