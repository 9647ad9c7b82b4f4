import type { StepInput } from "@wfe-containerd/executor";
import { UsageError } from "./failure.js";

type Retry = NonNullable<StepInput["retry"]>;

/**
 * Turns `3,delay=10s,backoff=2,on=exit,on=timeout` into the step's `retry`. Its values are checked with the
 * step.
 */
export function toRetry(text: string): Retry {
  const [attempts = "", ...entries] = text.split(",");
  if (!/^\d+$/.test(attempts)) throw refusal(text, "does not begin with a number of attempts");
  const given: Record<"delay" | "backoff" | "on", string[]> = { delay: [], backoff: [], on: [] };
  for (const entry of entries) {
    const [, key, value] = /^(delay|backoff|on)=(.+)$/.exec(entry) ?? [];
    if (key === undefined || value === undefined) throw refusal(text, `has ${JSON.stringify(entry)} in it`);
    given[key as keyof typeof given].push(value);
  }
  const { delay, backoff, on } = given;
  if (delay.length > 1 || backoff.length > 1) throw refusal(text, "has a delay or backoff twice");
  return {
    attempts: Number(attempts),
    ...(delay[0] !== undefined && { delay: delay[0] }),
    ...(backoff[0] !== undefined && { backoff: Number(backoff[0]) }),
    ...(on.length > 0 && { on: on as NonNullable<Retry["on"]> }),
  };
}

function refusal(text: string, problem: string): UsageError {
  return new UsageError(
    `--retry: ${JSON.stringify(text)} ${problem}; allowed: attempts, then delay=TIME, backoff=FACTOR and on=CAUSE, for example 3,delay=10s,on=exit`,
  );
}
