import type { Services } from "../context.js";

/**
 * How a call is repeated that an outage has cut off.
 *
 * `again`: it is asked again; a second time changes nothing. `gone`: a delete, asked again; if that answers
 * "not found", it has succeeded. `never`: it is not repeated. Else its effect is looked up first.
 */
export type Repeat<Request, Response> = "again" | "gone" | "never" | LookUp<Request, Response>;

export interface LookUp<Request, Response> {
  /** Runs before the first attempt. What it returns is given to `find` as `known`. It may fail. */
  before?(asked: Asked<Request, Response>): Promise<Response | undefined>;
  /**
   * Returns the response if the call has taken effect; undefined if it must be asked again.
   *
   * @throws if the effect cannot be known any more.
   */
  find(asked: Asked<Request, Response>): Promise<Response | undefined>;
  /**
   * Whether the daemon may still be removing what a cut attempt made. Then the call is asked again while it
   * answers "already exists".
   */
  readonly canBeLeaving?: true;
}

/** A call that is to be repeated. */
export interface Asked<Request, Response> {
  readonly services: Services;
  readonly request: Request;
  readonly options: { readonly signal: AbortSignal | undefined; readonly timeoutMs?: number };
  readonly known: Response | undefined;
}

type AnyCall = (request: never, options?: never) => Promise<unknown>;

/** A rule for each unary method of each service. The compiler finds a method without one. */
export type Repeats = {
  readonly [S in keyof Services]: {
    readonly [M in keyof Services[S] as Services[S][M] extends AnyCall ? M : never]: RuleOf<Services[S][M]>;
  };
};

/** The rule of a method whose effect is looked up. */
export type RuleFor<S extends keyof Services, M extends keyof Services[S]> = Exclude<
  RuleOf<Services[S][M]>,
  string
>;

type RuleOf<Method> = Method extends (request: infer Request, options?: never) => Promise<infer Response>
  ? Repeat<Request, Response>
  : never;
