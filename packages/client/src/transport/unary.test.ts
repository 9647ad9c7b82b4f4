import { inspect } from "node:util";
import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack, type BytesValue, StringValueSchema } from "@bufbuild/protobuf/wkt";
import { Code, encodeBinaryHeader } from "@connectrpc/connect";
import { Metadata } from "@grpc/grpc-js";
import { StatusSchema } from "@wfe-containerd/proto/google/rpc";
import { expect, test } from "vitest";
import { bytes, fail, failure, METHODS, startServer } from "../../test/grpc-server.js";

const { unary } = METHODS;

test("a message goes out and one comes back, with headers and trailers both ways", async () => {
  await using server = await startServer((call) => {
    const header = new Metadata();
    for (const name of ["plain", "raw-bin"])
      for (const value of call.metadata.get(name)) header.add(name, value);
    call.sendMetadata(header);
    call.on("data", (value: Buffer) => {
      call.write(Buffer.concat([value, Buffer.from("!")]));
      const trailer = new Metadata();
      trailer.add("last", "word");
      trailer.add("last-bin", Buffer.from([0, 255]));
      call.end(trailer);
    });
  });
  const headers = new Headers({ plain: "a, b" });
  headers.append("raw-bin", encodeBinaryHeader(new Uint8Array([1, 2, 254])));
  headers.append("raw-bin", encodeBinaryHeader(new Uint8Array([3])));
  const response = await server.transport.unary(unary, undefined, undefined, headers, bytes("hello"));
  expect(text(response.message)).toBe("hello!");
  expect(response.header.get("plain")).toBe("a, b");
  expect(response.header.get("raw-bin")).toBe("AQL+, Aw");
  expect(response.trailer.get("last")).toBe("word");
  expect(response.trailer.get("last-bin")).toBe(encodeBinaryHeader(new Uint8Array([0, 255])));
});

test("headers of the view go with every call, and the call's own win", async () => {
  await using server = await startServer((call) => {
    call.on("data", () => {
      call.write(Buffer.from(JSON.stringify(call.metadata.getMap())));
      call.end();
    });
  });
  const transport = server.createTransport({
    headers: { "containerd-namespace": "one", "containerd-lease": "l" },
  });
  const sent = async (headers: Record<string, string>) =>
    JSON.parse(text((await transport.unary(unary, undefined, undefined, headers, {})).message));
  expect(await sent({})).toMatchObject({ "containerd-namespace": "one", "containerd-lease": "l" });
  expect(await sent({ "containerd-namespace": "two" })).toMatchObject({ "containerd-namespace": "two" });
});

test("an error has the daemon's code, words, metadata and details", async () => {
  await using server = await startServer((call) => {
    const metadata = new Metadata();
    metadata.add("hint", "look there");
    const detail = anyPack(StringValueSchema, create(StringValueSchema, { value: "more" }));
    const status = create(StatusSchema, { code: 5, message: "nothing here: 100 %", details: [detail] });
    metadata.add("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, status)));
    fail(call, 5, "nothing here: 100 %", metadata);
  });
  const error = await failure(server.transport.unary(unary, undefined, undefined, undefined, {}));
  expect(error.code).toBe(Code.NotFound);
  expect(error.rawMessage).toBe("nothing here: 100 %");
  expect(error.metadata.get("hint")).toBe("look there");
  expect(error.findDetails(StringValueSchema).map(({ value }) => value)).toEqual(["more"]);
});

test.for([...Object.values(Code).filter((code) => typeof code === "number")])(
  "code %i stays what it is",
  async (code) => {
    await using server = await startServer((call) => fail(call, code, "words"));
    const error = await failure(server.transport.unary(unary, undefined, undefined, undefined, {}));
    expect(error).toMatchObject({ code, rawMessage: "words" });
  },
);

test("a code that gRPC does not know is unknown", async () => {
  await using server = await startServer((call) => fail(call, 77, "words"));
  const error = await failure(server.transport.unary(unary, undefined, undefined, undefined, {}));
  expect(error).toMatchObject({ code: Code.Unknown, rawMessage: "words" });
});

test("details that cannot be read do not hide the error", async () => {
  await using server = await startServer((call) => {
    const metadata = new Metadata();
    metadata.add("grpc-status-details-bin", Buffer.from([255, 255, 255]));
    fail(call, 6, "there already", metadata);
  });
  const error = await failure(server.transport.unary(unary, undefined, undefined, undefined, {}));
  expect(error).toMatchObject({ code: Code.AlreadyExists, rawMessage: "there already", details: [] });
});

test("no response, and more than one, are errors", async () => {
  await using none = await startServer((call) => void call.on("data", () => call.end()));
  expect(await failure(none.transport.unary(unary, undefined, undefined, undefined, {}))).toMatchObject({
    code: Code.Unimplemented,
    rawMessage: "the daemon gave no response",
  });
  await using two = await startServer((call) => {
    call.on("data", () => {
      call.write(Buffer.from("a"));
      call.write(Buffer.from("b"));
      call.end();
    });
  });
  expect(await failure(two.transport.unary(unary, undefined, undefined, undefined, {}))).toMatchObject({
    code: Code.Unimplemented,
    rawMessage: "more than one response",
  });
});

test("15 MiB go both ways, and what is over the limit is refused on either side", async () => {
  const size = 15 * 1024 * 1024;
  await using server = await startServer((call) => {
    call.on("data", (value: Buffer) => {
      call.write(value.length === 0 ? Buffer.alloc(17 * 1024 * 1024) : value);
      call.end();
    });
  });
  const value = Buffer.alloc(size, "x");
  const { message } = await server.transport.unary(unary, undefined, undefined, undefined, { value });
  expect(Buffer.compare(message.value, value)).toBe(0);
  for (const request of [{}, { value: Buffer.alloc(17 * 1024 * 1024) }]) {
    const error = await failure(server.transport.unary(unary, undefined, undefined, undefined, request));
    expect(error.code).toBe(Code.ResourceExhausted);
  }
});

test("a header that cannot be sent is refused, and its value not shown", async () => {
  await using server = await startServer((call) => call.end());
  for (const name of ["authorization", "token-bin"]) {
    const call = server.transport.unary(unary, undefined, undefined, { [name]: "s\u00e9cret!" }, {});
    const error = await failure(call);
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.message).toContain(`header ${name}`);
    expect(error.message).not.toContain("cret");
  }
});

test("an error shows nothing of what was sent", async () => {
  await using server = await startServer((call) => fail(call, 16, "who are you?"));
  const transport = server.createTransport({ headers: { authorization: "hunter2" } });
  const call = transport.unary(unary, undefined, undefined, { "token-bin": "aHVudGVyMg" }, bytes("hunter2"));
  const shown = inspect(await failure(call), { depth: 20, showHidden: true });
  expect(shown).toContain("who are you?");
  expect(shown).not.toMatch(/hunter2|aHVudGVyMg|authorization/);
});

function text({ value }: BytesValue): string {
  return Buffer.from(value).toString();
}
