// A CommonJS program that has OpenTelemetry's API.

import { metrics } from "@opentelemetry/api";
import { instrument } from "@wfe-containerd/executor/opentelemetry";

instrument({ tracerProvider: undefined, meterProvider: metrics.getMeterProvider() })();
console.log("instrumented");
