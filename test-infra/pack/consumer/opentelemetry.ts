// A program that has OpenTelemetry's API.

import { metrics, trace } from "@opentelemetry/api";
import { type InstrumentOptions, instrument } from "@wfe-containerd/executor/opentelemetry";

const options: InstrumentOptions = {
  tracerProvider: trace.getTracerProvider(),
  meterProvider: metrics.getMeterProvider(),
};
const stop: () => void = instrument(options);
stop();
console.log("instrumented");
