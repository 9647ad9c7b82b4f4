import { Code, ConnectError } from "@connectrpc/connect";
import { Metadata } from "@grpc/grpc-js";
import { afterEach, expect, test, vi } from "vitest";
import { toConnectError } from "./status.js";

afterEach(() => vi.unstubAllGlobals());

const codes = Object.values(Code).filter((code) => typeof code === "number");

test.each([...codes.map((code) => [code, "gone"] as const), [Code.NotFound, ""] as const])(
  "code %i, message %j: an error as from Connect's constructor",
  (code, details) => {
    const metadata = new Metadata();
    metadata.add("key", "value");
    const error = toConnectError({ code: code as number, details, metadata });
    const expected = new ConnectError(details, code, { key: "value" });
    expect(error).toBeInstanceOf(ConnectError);
    expect(error.message).toBe(expected.message);
    expect({ ...error }).toEqual({ ...expected });
    expect(error.findDetails).toBe(expected.findDetails);
    expect([...error.metadata]).toEqual([["key", "value"]]);
    expect(error.metadata).toBe(error.metadata);
  },
);

test("an error whose headers nobody looks at makes none", () => {
  vi.stubGlobal("Headers", () => expect.unreachable());
  const status = { code: Code.NotFound as number, details: "gone", metadata: new Metadata() };
  const error = toConnectError(status);
  expect(error).toMatchObject({ code: Code.NotFound, rawMessage: "gone" });
  expect(() => error.metadata).toThrow();
});
