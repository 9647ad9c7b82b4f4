/** A time, by the clocks that outlive a process. */
export interface Moment {
  /** The machine's boot, and the time since then. Undefined for a daemon on another machine. */
  readonly boot?: { readonly id: string; readonly uptimeMs: number } | undefined;
  /** The daemon's clock, in milliseconds since 1970. It may be set meanwhile. */
  readonly daemonMs: number;
}

export function later({ boot, daemonMs }: Moment, ms: number): Moment {
  return {
    ...(boot && { boot: { ...boot, uptimeMs: boot.uptimeMs + ms } }),
    daemonMs: daemonMs + ms,
  };
}

/** The time from `now` to a deadline; negative if it is over. In the same boot, only the up-time counts. */
export function msUntil(deadline: Moment, now: Moment): number {
  const isSameBoot = deadline.boot !== undefined && deadline.boot.id === now.boot?.id;
  if (isSameBoot) return deadline.boot.uptimeMs - (now.boot?.uptimeMs ?? 0);
  return deadline.daemonMs - now.daemonMs;
}
