import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";

/** Converts a time from the wire. If the daemon sent none, the date is 1970-01-01. */
export function toDate(timestamp: Timestamp | undefined): Date {
  return timestamp === undefined ? new Date(0) : timestampDate(timestamp);
}
