/**
 * Writes JSON, with each `bigint` as a number. OCI documents contain numbers up to 2^64 - 1, for example for
 * an unlimited resource. A `number` cannot hold these exactly, and `JSON.stringify` refuses a `bigint`.
 */
export function toJson(value: object): string {
  try {
    // Five times as fast. It throws at the first bigint.
    return JSON.stringify(value) ?? "null";
  } catch (reason) {
    if (!(reason instanceof TypeError)) throw reason;
    return write(value) ?? "null";
  }
}

/** Undefined for values that JSON leaves out of an object. */
function write(value: unknown): string | undefined {
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if ("toJSON" in value && typeof value.toJSON === "function") return write(value.toJSON());
  if (Array.isArray(value)) return `[${value.map((item) => write(item) ?? "null").join(",")}]`;
  const members = Object.entries(value).flatMap(([key, member]) => {
    const json = write(member);
    return json === undefined ? [] : [`${JSON.stringify(key)}:${json}`];
  });
  return `{${members.join(",")}}`;
}
