import { channel } from "node:diagnostics_channel";
import { type Span, SpanKind, SpanStatusCode, type Tracer, trace } from "@opentelemetry/api";
import type { OperationObserver } from "@wfe-containerd/client";
import { type Observer, observe } from "../observe.js";
import { createSpanScopes, parentContext, type SpanScope, scopeOf } from "./span-context.js";
import {
  OUTAGE_SPAN,
  PHASE_SPAN,
  REAP_SPAN,
  RELEASE_SPAN,
  REQUEST_SPAN,
  RETRY_SPAN,
  RPC_SPAN,
  type SpanRule,
  STEP_SPAN,
  TRANSFER_SPAN,
} from "./span-rules.js";

/**
 * Makes spans with a tracer.
 *
 * @returns ends it.
 */
export function startSpans(tracer: Tracer): () => void {
  const scopes = createSpanScopes();
  const spans = new WeakMap<object, Span>();
  const steps = new Map<string, { readonly scope: SpanScope; readonly own: SpanScope["context"] }>();

  function begin<Message extends object>(rule: SpanRule<Message>, message: Message): SpanScope | undefined {
    if (spans.has(message)) return undefined;
    const { kind = SpanKind.INTERNAL } = rule;
    const parent = parentContext(scopes);
    const attributes = rule.attributes(message);
    const span = tracer.startSpan(rule.name(message), { kind, attributes }, parent);
    spans.set(message, span);
    return scopeOf(span, parent);
  }

  function end<Message extends { readonly errorKind?: string | undefined }>(
    rule: SpanRule<Message>,
    message: Message,
  ): void {
    const span = spans.get(message);
    if (span === undefined) return;
    const error = rule.error === undefined ? message.errorKind : rule.error(message);
    span.setAttributes(rule.attributes(message));
    if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: error });
    span.end();
  }

  function observing<Message extends { readonly errorKind?: string | undefined }>(
    rule: SpanRule<Message>,
  ): OperationObserver<Message> {
    return { start: (message) => void begin(rule, message), end: (message) => end(rule, message) };
  }

  /** Makes the span the current one in everything that the operation does. */
  function bind<Message extends object>(
    name: string,
    rule: SpanRule<Message>,
    onBegin?: (message: Message, scope: SpanScope) => void,
  ): () => void {
    const start = channel(`tracing:wfe-containerd.${name}:start`);
    start.bindStore(scopes, (given) => {
      const message = given as Message;
      const scope = begin(rule, message);
      if (scope !== undefined) onBegin?.(message, scope);
      return scope ?? scopes.getStore();
    });
    return () => void start.unbindStore(scopes);
  }

  const observer: Observer = {
    rpc: observing(RPC_SPAN),
    registryRequest: observing(REQUEST_SPAN),
    transfer: observing(TRANSFER_SPAN),
    outage: observing(OUTAGE_SPAN),
    retry: observing(RETRY_SPAN),
    release: observing(RELEASE_SPAN),
    reap: observing(REAP_SPAN),
    step: {
      end(message) {
        steps.delete(message.id);
        end(STEP_SPAN, message);
      },
    },
    phase: {
      start(message) {
        const step = steps.get(message.id);
        if (step === undefined) return;
        const span = tracer.startSpan(
          PHASE_SPAN.name(message),
          { attributes: PHASE_SPAN.attributes(message) },
          step.own,
        );
        spans.set(message, span);
        step.scope.context = trace.setSpan(step.own, span);
      },
      end(message) {
        const step = steps.get(message.id);
        if (step !== undefined) step.scope.context = step.own;
        end(PHASE_SPAN, message);
      },
    },
  };
  const stops = [
    bind("step", STEP_SPAN, ({ id }, scope) => void steps.set(id, { scope, own: scope.context })),
    bind("transfer", TRANSFER_SPAN),
    bind("reap", REAP_SPAN),
    bind("rpc", RPC_SPAN),
    observe(observer),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}
