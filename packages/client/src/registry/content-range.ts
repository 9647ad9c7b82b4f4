export interface ContentRange {
  /** First and last byte, counted from 0. */
  readonly start: number;
  readonly end: number;
  /** Undefined where the server does not know it. */
  readonly total: number | undefined;
}

/** Reads a Content-Range header of a 206 (RFC 9110, section 14.4); undefined when it is none. */
export function parseContentRange(value: string | undefined): ContentRange | undefined {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/i.exec(value?.trim() ?? "");
  if (match === null) return undefined;
  const [start, end] = [Number(match[1]), Number(match[2])];
  const total = match[3] === "*" ? undefined : Number(match[3]);
  return start <= end && end < (total ?? Number.POSITIVE_INFINITY) ? { start, end, total } : undefined;
}
