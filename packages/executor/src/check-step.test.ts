import { expect, test } from "vitest";
import { checkStep } from "./check-step.js";

const STEP = { name: "build", image: "alpine:3.20", run: "make" };

test("a step that may run is returned as it is read", () => {
  expect(checkStep({ ...STEP, timeout: "5m" })).toMatchObject({ name: "build", timeoutMs: 300_000 });
});

test("what is wrong, and what the policy does not allow, are errors with all issues", () => {
  expect(() => checkStep({ ...STEP, memory: "much" })).toThrow(/memory/);
  const wide = { ...STEP, network: "host", privileged: true } as const;
  expect(() => checkStep(wide)).toThrow(
    expect.objectContaining({
      kind: "refused",
      issues: expect.arrayContaining([expect.objectContaining({ field: "network" })]),
    }),
  );
  expect(() => checkStep({ ...wide, privileged: false }, { hostNetwork: true })).not.toThrow();
});
