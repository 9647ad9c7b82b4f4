import { lstat, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { makeFifos } from "./make-fifos.js";

const directory = await mkdtemp(join(tmpdir(), "make-fifos-"));
afterAll(() => rm(directory, { recursive: true }));

test("whoever asks at once gets FIFOs of their own, and one bad path is nobody else's failure", async () => {
  const names = Array.from({ length: 250 }, (_, at) => join(directory, `step-${at}`));
  await Promise.all(names.filter((_, at) => at !== 120).map((name) => mkdir(name)));
  const asked = names.map((name) => makeFifos([join(name, "stdout"), join(name, "stderr")]));
  const outcomes = await Promise.allSettled(asked);
  expect(outcomes.flatMap(({ status }, at) => (status === "rejected" ? [at] : []))).toEqual([120]);
  expect(outcomes[120]).toMatchObject({ reason: { message: expect.stringContaining("step-120/stdout") } });
  for (const name of names.filter((_, at) => at !== 120)) {
    const { mode } = await lstat(join(name, "stderr"));
    expect(mode.toString(8)).toBe("10600");
  }
});

test("a program that is not found is the failure of all, and later requests are served", async () => {
  const { PATH } = process.env;
  process.env["PATH"] = directory;
  await expect(makeFifos([join(directory, "a")])).rejects.toThrow("ENOENT");
  process.env["PATH"] = PATH;
  await makeFifos([join(directory, "b")]);
  expect((await lstat(join(directory, "b"))).isFIFO()).toBe(true);
});
