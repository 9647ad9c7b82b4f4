import { expect, test } from "vitest";
import { logTo } from "./log.js";
import { observe } from "./observe.js";
import { instrument } from "./opentelemetry/instrument.js";

test.each<[() => unknown, RegExp]>([
  [() => observe({ rpcs: {} } as never), /^observe: unknown option "rpcs"; did you mean rpc\?$/],
  [() => observe({ rpc: { stop() {} } } as never), /^observe: unknown option "rpc.stop"/],
  [() => observe({ step: () => undefined } as never), /^step: is not an object; allowed: start and end, /],
  [() => observe({ rpc: { end: "x" } } as never), /^rpc\.end: is not a function; allowed: /],
  [() => observe(null as never), /^observe: options: is not an object/],
  [() => logTo(undefined as never), /^logger: has no method debug; allowed: console, /],
  [() => logTo({ debug() {}, info() {} } as never), /^logger: has no method warn; allowed: /],
  [() => instrument({ tracer: {} } as never), /^instrument: unknown option "tracer"/],
  [() => instrument({ meterProvider: "x" } as never), /^meterProvider: has no getMeter; allowed: /],
])("what cannot be used is refused at once: %s", (call, message) => {
  expect(call).toThrow(expect.objectContaining({ kind: "invalid-argument", name: "ExecutorError" }));
  expect(call).toThrow(message);
});
