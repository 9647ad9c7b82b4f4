import { setTimeout as delay } from "node:timers/promises";
import { randomOf } from "../fuzz/random.js";
import type { Fault, Part, Phase, Strike } from "./fault/fault.js";
import type { SoakLog } from "./soak-log.js";

export interface KillerOptions {
  readonly faults: readonly Fault[];
  readonly log: SoakLog;
  /** How many phases of steps begin from one fault to the next, on the average. */
  readonly phasesPerStrike: number;
  /** Gives the same faults again, as far as the machine's timing allows. */
  readonly seed: number;
}

/**
 * Lets one fault after the other strike, each as a step enters a phase, or a moment later. Disposing of it
 * heals all.
 */
export interface Killer extends AsyncDisposable {
  readonly strikes: readonly Strike[];
  /** A step has entered a phase. */
  see(phase: string, id: string): void;
  /** Nothing strikes until `goOn` is called. Resolves when all is healed. */
  rest(): Promise<void>;
  goOn(): void;
}

type Plan = readonly [fault: Fault, phase: Phase];

/** How long it may take from a phase's beginning to the fault, in milliseconds. */
const LONGEST_DELAY_MS = 200;

export function createKiller({ faults, log, phasesPerStrike, seed }: KillerOptions): Killer {
  const random = randomOf(seed);
  const strikes: Strike[] = [];
  const busy = new Set<Part>();
  const striking = new Set<Promise<void>>();
  let isResting = true;
  /** Each fault in each of its phases, in a new order each time. */
  let plans: Plan[] = [];
  let phasesLeft = 0;

  function shuffled(): Plan[] {
    const all = faults.flatMap((fault) => fault.phases.map((phase): Plan => [fault, phase]));
    return all
      .map((plan) => ({ plan, at: random() }))
      .toSorted((a, b) => a.at - b.at)
      .map(({ plan }) => plan);
  }

  async function strike([fault, phase]: Plan, id: string, delayMs: number, lastsMs: number): Promise<void> {
    for (const part of fault.parts) busy.add(part);
    try {
      await delay(delayMs);
      const fromMs = Date.now();
      log({ strikes: fault.name, phase, id });
      const wound = await fault.strike(id);
      log({ struck: fault.name, isStruck: wound !== undefined });
      if (wound === undefined) return;
      const at =
        strikes.push({ fault, phase, fromMs, untilMs: Number.POSITIVE_INFINITY, ids: wound.ids }) - 1;
      await delay(lastsMs);
      await wound.heal();
      log({ healed: fault.name });
      strikes[at] = { ...(strikes[at] as Strike), untilMs: Date.now() };
    } finally {
      for (const part of fault.parts) busy.delete(part);
    }
  }

  async function rest(): Promise<void> {
    isResting = true;
    await Promise.all(striking);
  }

  return {
    strikes,
    see(phase, id) {
      if (isResting || --phasesLeft > 0) return;
      if (plans.length === 0) plans = shuffled();
      const at = plans.findIndex(
        ([fault, wanted]) => wanted === phase && !fault.parts.some((part) => busy.has(part)),
      );
      const [plan] = at < 0 ? [] : plans.splice(at, 1);
      if (plan === undefined) return;
      phasesLeft = Math.ceil(2 * phasesPerStrike * random());
      const delayMs = random() < 0.5 ? 0 : LONGEST_DELAY_MS * random();
      const run = strike(plan, id, delayMs, 2 * plan[0].lastsMs * random());
      striking.add(run);
      // A failure is told by `rest`.
      run.then(
        () => striking.delete(run),
        () => undefined,
      );
    },
    rest,
    [Symbol.asyncDispose]: rest,
    goOn() {
      isResting = false;
    },
  };
}
