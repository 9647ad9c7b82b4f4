import { channel } from "node:diagnostics_channel";
import { type Span, SpanKind, SpanStatusCode, type Tracer, trace } from "@opentelemetry/api";
import type { OperationObserver } from "@wfe-containerd/client";
import { type Observer, observe } from "../observe.js";
import { createSpanScopes, parentContext, type SpanScope, scopeOf } from "./span-context.js";
import {
  EXEC_SPAN,
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
  /** Steps, and further processes in their containers. */
  const runs = new Map<string, { readonly scope: SpanScope; readonly own: SpanScope["context"] }>();

  function begin<Message extends object>(
    rule: SpanRule<Message>,
    message: Message,
    parent = parentContext(scopes),
  ): SpanScope | undefined {
    if (spans.has(message)) return undefined;
    const { kind = SpanKind.INTERNAL } = rule;
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
    parentOf: (message: Message) => SpanScope["context"] | undefined = () => undefined,
  ): () => void {
    const start = channel(`tracing:wfe-containerd.${name}:start`);
    start.bindStore(scopes, (given) => {
      const message = given as Message;
      const scope = begin(rule, message, parentOf(message));
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
        runs.delete(message.id);
        end(STEP_SPAN, message);
      },
    },
    exec: {
      end(message) {
        runs.delete(message.id);
        end(EXEC_SPAN, message);
      },
    },
    phase: {
      start(message) {
        const run = runs.get(message.id);
        if (run === undefined) return;
        const span = tracer.startSpan(
          PHASE_SPAN.name(message),
          { attributes: PHASE_SPAN.attributes(message) },
          run.own,
        );
        spans.set(message, span);
        run.scope.context = trace.setSpan(run.own, span);
      },
      end(message) {
        const run = runs.get(message.id);
        if (run !== undefined) run.scope.context = run.own;
        end(PHASE_SPAN, message);
      },
    },
  };
  const remember = ({ id }: { readonly id: string }, scope: SpanScope): void =>
    void runs.set(id, { scope, own: scope.context });
  const stops = [
    bind("step", STEP_SPAN, remember),
    // It may be started anywhere in the program, and belongs to its step.
    bind("exec", EXEC_SPAN, remember, ({ stepId = "" }) => runs.get(stepId)?.own),
    bind("transfer", TRANSFER_SPAN),
    bind("reap", REAP_SPAN),
    bind("rpc", RPC_SPAN),
    observe(observer),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}
