import { FUZZ_RUNS } from "@wfe-containerd/test-infra/fuzz";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ContainerdError } from "../error.js";
import { parseAddress } from "./address.js";

function refusal(text: string, options?: Parameters<typeof parseAddress>[1]): string {
  try {
    parseAddress(text, options);
  } catch (error) {
    expect(error).toBeInstanceOf(ContainerdError);
    expect((error as ContainerdError).kind).toBe("invalid-argument");
    return (error as ContainerdError).message;
  }
  throw new TypeError(`${text} was taken`);
}

test.each([
  ["/run/containerd/containerd.sock", "unix:///run/containerd/containerd.sock"],
  ["unix:///run/a.sock", "unix:///run/a.sock"],
  ["unix:/run/a.sock", "unix:///run/a.sock"],
  ["/a b/ü%20#?.sock", "unix:///a b/ü%20#?.sock"],
])("the socket %s is %s", (text, normal) => {
  expect(parseAddress(text)).toMatchObject({
    text: normal,
    isLocal: true,
    isTls: false,
    socketPath: normal.slice("unix://".length),
  });
});

test.each([
  ["tcp://127.0.0.1:2500", "tcp://127.0.0.1:2500", "127.0.0.1", 2500, false],
  ["http://127.8.9.10:1/", "tcp://127.8.9.10:1", "127.8.9.10", 1, false],
  ["tcp://localhost:65535", "tcp://localhost:65535", "localhost", 65535, false],
  ["tcp://[::1]:2500", "tcp://[::1]:2500", "::1", 2500, false],
  ["https://build-1.example.com:2500", "https://build-1.example.com:2500", "build-1.example.com", 2500, true],
  ["https://[2001:db8::1]:2500", "https://[2001:db8::1]:2500", "2001:db8::1", 2500, true],
])("%s is %s", (text, normal, host, port, isTls) => {
  expect(parseAddress(text)).toMatchObject({
    text: normal,
    host,
    port,
    isTls,
    isLocal: false,
    socketPath: undefined,
  });
});

test.each([
  ["", "is empty"],
  ["containerd.sock", "is neither an absolute path nor a URL"],
  ["./containerd.sock", "is neither an absolute path nor a URL"],
  ["127.0.0.1:2500", "is neither an absolute path nor a URL"],
  ["unix:run/a.sock", "is neither an absolute path"],
  ["unix://run/a.sock", "is neither an absolute path"],
  ["unix://", "is neither an absolute path"],
  ["unix:@abstract", "is neither an absolute path"],
  ["/run/containerd/", "is a directory"],
  [`/${"a".repeat(107)}`, "has 108 bytes"],
  ["/run/a\0b", "has a control character"],
  ["tcp://127.0.0.1:2500\r\nx: y", "has a control character"],
  ["tcp://127.0.0.1:2500\n", "has a control character"],
  ["ssh://host:22", "has the scheme ssh:"],
  ["npipe:////./pipe/containerd", "has the scheme npipe:"],
  ["localhost:2500", "has the scheme localhost:"],
  ["tcp:127.0.0.1:2500", "has no // after tcp:"],
  ["tcp://127.0.0.1", "has no port"],
  ["tcp://127.0.0.1:", "has no port"],
  ["tcp://[::1]", "has no port"],
  ["tcp://127.0.0.1:0", "has an invalid port: 0; allowed: 1 to 65535"],
  ["tcp://127.0.0.1:65536", "has an invalid port: 65536; allowed: 1 to 65535"],
  ["http://127.0.0.1:99999", "has an invalid port: 99999; allowed: 1 to 65535"],
  ["tcp://127.0.0.1:25x", "has an invalid port: 25x"],
  ["tcp://127.0.0.1:-1", "has an invalid port: -1"],
  ["tcp://127.0.0.1:2500/path", "has more text after the port"],
  ["tcp://127.0.0.1:2500?query", "has more text after the port"],
  ["https://host:2500#there", "has more text after the port"],
  ["tcp://::1:2500", "has an IPv6 host without brackets"],
  ["tcp://[fe80::1%eth0]:2500", "has an invalid host"],
  ["tcp://[127.0.0.1]:2500", "has an invalid host"],
  ["tcp://:2500", "has no host"],
  ["tcp://a_b..c:2500", "has an invalid host"],
  ["tcp://-a:2500", "has an invalid host"],
  ["tcp://127.1:2500", "has an invalid host"],
  ["tcp://2130706433:2500", "has an invalid host"],
  ["tcp://0x7f000001:2500", "has an invalid host"],
  ["tcp://127.0x1:2500", "has an invalid host"],
  ["tcp://127.0.0.256:2500", "has an invalid host"],
])("%j is refused: %s", (text, problem) => {
  const message = refusal(text);
  expect(message).toContain(`address: `);
  expect(message).toContain(problem);
  expect(message).toContain("; allowed: ");
});

test.each([
  "tcp://user:hunter2@127.0.0.1:2500",
  "https://hunter2@host:2500",
  "tcp://a@hunter2@host:1",
  "ssh://root:hunter2@host",
  "hunter2@host:2500",
])("%s is refused without its credentials being shown", (text) => {
  expect(refusal(text)).not.toContain("hunter2");
});

describe("plain text", () => {
  test.each([
    "tcp://10.0.0.1:2500",
    "http://build:2500",
    "tcp://[2001:db8::1]:2500",
    "tcp://128.0.0.1:1",
    "tcp://localhost.example:1",
  ])("to %s needs insecure", (text) => {
    expect(refusal(text)).toContain(
      "is an unencrypted connection to another machine; allowed: https:// with tls; or insecure: true",
    );
    expect(parseAddress(text, { insecure: true })).toMatchObject({ isTls: false });
  });
});

test("the refusal names where the address came from", () => {
  expect(refusal("x", { field: "CONTAINERD_ADDRESS" })).toMatch(
    /^CONTAINERD_ADDRESS: "x" is neither an absolute path/,
  );
});

test("what was normalised is read as the same", () => {
  const host = fc.oneof(
    fc.domain(),
    fc.ipV4(),
    fc.ipV6().map((address) => `[${address}]`),
  );
  const scheme = fc.constantFrom("tcp", "http", "https");
  fc.assert(
    fc.property(scheme, host, fc.integer({ min: 1, max: 65_535 }), (protocol, name, port) => {
      const address = parseAddress(`${protocol}://${name}:${port}`, { insecure: true });
      expect(parseAddress(address.text, { insecure: true })).toEqual(address);
      expect(address.port).toBe(port);
    }),
  );
});

test("any text is taken or refused with our own error, and a taken one has no control character", () => {
  const piece = fc.constantFrom(
    "tcp:",
    "unix:",
    "https:",
    "//",
    "/",
    ":",
    "[",
    "]",
    "@",
    "127.0.0.1",
    "::1",
    "80",
    "\n",
    "\0",
    "é",
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(piece, { maxLength: 8 }).map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(text, fc.boolean(), (input, insecure) => {
      try {
        const { text: normal, target } = parseAddress(input, { insecure });
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
        expect(normal + target).not.toMatch(/[\0-\x1f\x7f]/);
      } catch (error) {
        expect(error).toMatchObject({ name: "ContainerdError", kind: "invalid-argument" });
      }
    }),
    { numRuns: FUZZ_RUNS },
  );
});
