export interface ContentRange {
  /** First byte, counted from 0. `end` is the last byte, included. */
  readonly start: number;
  readonly end: number;
  /** Size of the whole, in bytes; undefined if the server does not know it. */
  readonly total: number | undefined;
}

/** Reads the Content-Range header of a 206 (RFC 9110, section 14.4); undefined if it is not valid. */
export function parseContentRange(value: string | undefined): ContentRange | undefined {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/i.exec(value?.trim() ?? "");
  if (match === null) return undefined;
  const [start, end] = [Number(match[1]), Number(match[2])];
  const total = match[3] === "*" ? undefined : Number(match[3]);
  return start <= end && end < (total ?? Number.POSITIVE_INFINITY) ? { start, end, total } : undefined;
}
