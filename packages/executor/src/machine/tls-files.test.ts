import { execFileSync } from "node:child_process";
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readTls } from "./tls-files.js";

const PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "test-tls-"));
  await writeFile(join(directory, "ca.pem"), PEM);
  await writeFile(join(directory, "text"), "secret-canary");
  await writeFile(join(directory, "big.pem"), PEM);
  await truncate(join(directory, "big.pem"), 1024 * 1024 + 1);
  execFileSync("mkfifo", [join(directory, "fifo")]);
});
afterAll(() => rm(directory, { recursive: true }));

test("PEM files are read, and contents taken", async () => {
  expect(await readTls({ ca: join(directory, "ca.pem"), cert: PEM })).toEqual({ ca: PEM, cert: PEM });
});

test.each(["text", "big.pem", "fifo", ".", "none", "../../dev/zero"])(
  "%s is refused as anything else is",
  async (name) => {
    const path = join(directory, name);
    await expect(readTls({ key: path })).rejects.toMatchObject({
      kind: "invalid-step",
      message: `tls.key: ${JSON.stringify(path)} cannot be read as a PEM file; allowed: a PEM file of up to 1 MiB, or its contents`,
    });
  },
);
