/** What one check of `doctor` found. */
export interface Finding {
  /** `fail`: steps cannot run. `warn`: some cannot, or something else is not as it should be. */
  readonly result: "ok" | "warn" | "fail";
  readonly check: string;
  readonly found: string;
  /** What to do. Empty if nothing is to be done. */
  readonly advice: string;
}

export function ok(check: string, found: string): Finding {
  return { result: "ok", check, found, advice: "" };
}

export function warn(check: string, found: string, advice: string): Finding {
  return { result: "warn", check, found, advice };
}

export function fail(check: string, found: string, advice: string): Finding {
  return { result: "fail", check, found, advice };
}
