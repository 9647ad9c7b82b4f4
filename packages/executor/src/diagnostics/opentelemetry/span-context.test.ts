import { context, createContextKey, type Span, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { BasicTracerProvider } from "@opentelemetry/sdk-trace-base";
import { afterEach, expect, test } from "vitest";
import { createSpanScopes, parentContext, scopeOf } from "./span-context.js";

const tracer = new BasicTracerProvider().getTracer("test");
const spanOf = trace.getSpan;

afterEach(() => context.disable());

test.each([["without"], ["with"]])(
  "%s a context manager, our span is the parent in its scope alone",
  (mode) => {
    if (mode === "with") context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    const scopes = createSpanScopes();
    const own = tracer.startSpan("own");
    expect(spanOf(parentContext(scopes))).toBeUndefined();
    scopes.run(scopeOf(own, parentContext(scopes)), () => {
      expect(spanOf(parentContext(scopes))).toBe(own);
      const inner = tracer.startSpan("inner");
      scopes.run(scopeOf(inner, parentContext(scopes)), () =>
        expect(spanOf(parentContext(scopes))).toBe(inner),
      );
    });
    expect(spanOf(parentContext(scopes))).toBeUndefined();
  },
);

test("a span that the program made current since is the parent, and what else is in its context is kept", () => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const scopes = createSpanScopes();
  const [job, own, newer] = ["job", "own", "newer"].map((name) => tracer.startSpan(name));
  const key = createContextKey("key");
  const outer = trace.setSpan(context.active().setValue(key, "kept"), job as Span);
  context.with(outer, () => {
    expect(spanOf(parentContext(scopes))).toBe(job);
    scopes.run(scopeOf(own as Span, parentContext(scopes)), () => {
      expect(parentContext(scopes).getValue(key)).toBe("kept");
      context.with(trace.setSpan(context.active(), newer as Span), () =>
        expect(spanOf(parentContext(scopes))).toBe(newer),
      );
      expect(spanOf(parentContext(scopes))).toBe(own);
    });
  });
});
