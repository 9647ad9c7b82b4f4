import { create } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { type CallOptions, Code, ConnectError, createContextValues } from "@connectrpc/connect";
import type { Services } from "../context.js";
import { ATTEMPT } from "../diagnostics/rpc.js";
import { addLazyMembers } from "../lazy-members.js";
import type { DaemonOutage, WatchedCall } from "./daemon-outage.js";
import { REPEATS } from "./repeats.js";
import type { Asked, Repeat } from "./rule.js";

type Unary = (request: never, options?: CallOptions) => Promise<unknown>;

/**
 * The services of a client that waits for its daemon: a call that an outage cuts off is made again, by the
 * method's rule in `repeats.ts`. Streams are unchanged: whoever reads one knows where to go on.
 */
export function createRepeatingServices(plain: Services, outage: DaemonOutage): Services {
  const rules = REPEATS as Readonly<Record<string, Readonly<Record<string, Repeat<unknown, unknown>>>>>;
  const services = addLazyMembers<object, Services>(
    {},
    Object.fromEntries(
      Object.keys(plain).map((name) => [name, () => repeatingMethods(name as keyof Services)]),
    ) as unknown as { readonly [Name in keyof Services]: () => Services[Name] },
  );

  function repeatingMethods<Name extends keyof Services>(name: Name): Services[Name] {
    const methods = Object.entries(plain[name] as Record<string, Unary>).map(([method, send]) => {
      const rule = rules[name]?.[method];
      return [method, rule === undefined ? send : repeating(`${name}.${method}`, send, rule)];
    });
    return Object.fromEntries(methods) as Services[Name];
  }

  function repeating(what: string, send: Unary, rule: Repeat<unknown, unknown>): Unary {
    return (request, options) => {
      const call = outage.watch(what, options?.signal);
      const asked = { services, request, options: { signal: options?.signal }, known: undefined };
      return repeat(call, rule, asked, () => send(request, withAttempt(options, call.cuts + 1)));
    };
  }

  return services;
}

/** Tells the diagnostics of the RPC which attempt it is. */
function withAttempt(options: CallOptions | undefined, attempt: number): CallOptions | undefined {
  if (attempt === 1) return options;
  return {
    ...options,
    contextValues: (options?.contextValues ?? createContextValues()).set(ATTEMPT, attempt),
  };
}

/**
 * How long the daemon may take to remove what a cut attempt made, in milliseconds. After that it does not
 * know that there is something to remove: the caller must.
 */
const LEAVING_MS = 5_000;

async function repeat(
  call: WatchedCall,
  rule: Repeat<unknown, unknown>,
  asked: Asked<unknown, unknown>,
  send: () => Promise<unknown>,
): Promise<unknown> {
  const lookUp = typeof rule === "object" ? rule : undefined;
  const known = await lookUp?.before?.(asked).catch(() => undefined);
  const find = async (): Promise<unknown> => lookUp?.find({ ...asked, known });
  let inTheWayAt: number | undefined;
  for (;;) {
    const found = call.cuts > 0 ? await find() : undefined;
    if (found !== undefined) return found;
    try {
      return await call.attempt(send);
    } catch (reason) {
      const isCut = await call.isCut(reason);
      if (!isCut && call.cuts === 0) {
        // The daemon is there, but slow. It may have done what was asked. What it did of a task it undoes
        // again.
        const isLate = isCode(reason, Code.DeadlineExceeded) && lookUp?.canBeLeaving !== true;
        const done = isLate ? await find().catch(() => undefined) : undefined;
        if (done !== undefined) return done;
        throw reason;
      }
      if (isCut && rule === "never") throw reason;
      if (!isCut) {
        // An earlier attempt may have taken effect only after we had looked for it.
        if (rule === "gone" && isCode(reason, Code.NotFound)) return create(EmptySchema);
        const late = await find();
        if (late !== undefined) return late;
        if (lookUp?.canBeLeaving !== true || !isInTheWay(reason)) throw reason;
        inTheWayAt ??= performance.now();
        if (performance.now() - inTheWayAt > LEAVING_MS) throw reason;
      }
      await call.back(reason);
    }
  }
}

/** The directory of a task that is not removed yet: "file exists", of kind `unknown`. */
function isInTheWay(reason: unknown): boolean {
  return isCode(reason, Code.AlreadyExists) || /file exists/.test(String(reason));
}

function isCode(reason: unknown, code: Code): boolean {
  return reason instanceof ConnectError && reason.code === code;
}
