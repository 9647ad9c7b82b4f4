import { create, fromBinary } from "@bufbuild/protobuf";
import { WriteAction, WriteContentRequestSchema } from "@wfe-containerd/proto/services/content";
import fc from "fast-check";
import { expect, test } from "vitest";
import { allocateRequest, encodeWrite } from "./request.js";

test("a request on the wire is what protobuf reads as the same", () => {
  const fields = fc.record({
    ref: fc.string({ maxLength: 200 }),
    expected: fc.string({ maxLength: 80 }),
    total: fc.bigInt({ min: 0n, max: 2n ** 62n }),
    offset: fc.bigInt({ min: 0n, max: 2n ** 62n }),
  });
  const chunks = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 });
  // All requests share one buffer, as in a writer. Old bytes in it must not appear in a new request.
  const space = allocateRequest(8 * 300);
  fc.assert(
    fc.property(fields, chunks, (given, data) => {
      const request = create(WriteContentRequestSchema, { action: WriteAction.WRITE, ...given });
      const { data: read, ...others } = fromBinary(
        WriteContentRequestSchema,
        encodeWrite(request, data, space),
      );
      const { data: _, ...expected } = request;
      expect(others).toEqual(expected);
      expect(Buffer.from(read)).toEqual(Buffer.concat(data));
    }),
  );
});

test("a name that is too long is refused", () => {
  const request = create(WriteContentRequestSchema, { ref: "x".repeat(1100) });
  expect(() => encodeWrite(request, [], allocateRequest(0))).toThrow("too long");
});
