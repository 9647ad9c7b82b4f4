import { Code, ConnectError } from "@connectrpc/connect";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ContainerdError, type ErrorKind } from "./error.js";
import { explain } from "./explain.js";

const codes = fc.integer({ min: Code.Canceled, max: Code.Unauthenticated }) as fc.Arbitrary<Code>;
const connectErrors = fc.tuple(fc.string(), codes, fc.uint8Array()).map(([message, code, value]) =>
  Object.assign(new ConnectError(message, code, { "x-daemon": "1" }), {
    details: [{ type: "a.B", value }],
  }),
);
const containerdErrors = fc
  .tuple(
    fc.string(),
    fc.constantFrom<ErrorKind>("unavailable", "not-found", "unknown"),
    fc.option(connectErrors),
  )
  .map(([message, kind, cause]) => new ContainerdError(message, { kind, operation: "pull x", cause }));
const failures = fc.oneof(connectErrors, containerdErrors);

/** An explanation that throws or rejects with any value, or finds nothing. */
const failing = fc
  .tuple(fc.anything(), fc.constantFrom("throws", "rejects", "finds nothing"))
  .map(([reason, way]) => () => {
    if (way === "throws") throw reason;
    return way === "rejects" ? Promise.reject(reason) : undefined;
  });

test("an explanation that fails leaves the failure as it is", async () => {
  await fc.assert(
    fc.asyncProperty(failures, failing, async (failure, describe) => {
      expect(await explain(failure, describe)).toBe(failure);
    }),
  );
});

test("an explanation changes the message alone", async () => {
  await fc.assert(
    fc.asyncProperty(failures, fc.string(), async (failure, text) => {
      const explained = await explain(failure, async () => text);
      expect(explained.name).toBe(failure.name);
      expect(explained.code).toBe(failure.code);
      if (failure instanceof ContainerdError) {
        expect(explained).toMatchObject({
          kind: failure.kind,
          operation: "pull x",
          message: `pull x: ${text}`,
        });
      } else {
        expect(explained).toMatchObject({ rawMessage: text, details: failure.details, cause: failure });
        expect((explained as ConnectError).metadata.get("x-daemon")).toBe("1");
      }
    }),
  );
});
