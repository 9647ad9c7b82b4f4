import { expect, test } from "vitest";
import { matchSecrets } from "./secret.js";

test.each([
  [
    { target: "/run/secrets/a" },
    {},
    'secrets[0]: the value of "a" is missing; allowed: a value for each secret',
  ],
  [
    { target: "/etc/a" },
    { a: "x" },
    "secrets[0].target: /etc/a cannot be a secret: the directory of the secrets would hide the image's files in /etc; allowed: a file in a directory that contains only secrets; example: /run/secrets/a",
  ],
  [
    { target: "/run/secrets/a" },
    { a: "x".repeat(1024 * 1024 + 1) },
    "secrets: the values have 1048577 bytes together; allowed: up to 1048576 bytes together",
  ],
])("a secret that cannot be given is refused, and not by the policy: %j", (request, values, message) => {
  const requests = [{ name: "a", mask: true, ...request }];
  expect(() => matchSecrets(requests, values)).toThrow(`the step is refused: ${message}`);
});
