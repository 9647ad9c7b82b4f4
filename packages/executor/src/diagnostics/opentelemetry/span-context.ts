import { AsyncLocalStorage } from "node:async_hooks";
import { type Context, context as openTelemetry, type Span, trace } from "@opentelemetry/api";

/** Where the spans of one operation belong. */
export interface SpanScope {
  /** What was current in OpenTelemetry when the operation began. */
  readonly outer: Context;
  /** With the operation's span; in a step, with that of its phase. */
  context: Context;
}

/**
 * The current span, for everything that its operation causes. OpenTelemetry's own store cannot be set by a
 * channel.
 */
export type SpanScopes = AsyncLocalStorage<SpanScope>;

export function createSpanScopes(): SpanScopes {
  return new AsyncLocalStorage<SpanScope>();
}

/** The context that the next span belongs to. */
export function parentContext(scopes: SpanScopes): Context {
  const scope = scopes.getStore();
  const active = openTelemetry.active();
  // The program may have made a newer span current, for example in `verify` of a pull.
  return scope === undefined || active !== scope.outer ? active : scope.context;
}

/** A scope in which new spans are children of this one. */
export function scopeOf(span: Span, parent: Context): SpanScope {
  return { outer: openTelemetry.active(), context: trace.setSpan(parent, span) };
}
