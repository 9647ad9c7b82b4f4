import { expect, test } from "vitest";
import { createExecHost } from "./exec-host.js";
import type { HostContainer } from "./stages/create-exec.js";

test("a container takes no more processes from its end on, not only when all of that end is known", async () => {
  const host = createExecHost("step one");
  let exit = (): void => undefined;
  host.open(
    {} as HostContainer,
    new Promise<void>((resolve) => {
      exit = resolve;
    }),
  );
  expect(await host.endsWithin(0)).toBe(false);
  host.enter();
  exit();
  expect(await host.endsWithin(600_000)).toBe(true);
  expect(() => host.enter()).toThrow("step one has ended");
});

test("a call that failed tells no end", async () => {
  const host = createExecHost("step one");
  const away = Promise.reject(new Error("the daemon is away"));
  host.open({} as HostContainer, away);
  await away.catch(() => undefined);
  expect(await host.endsWithin(0)).toBe(false);
  host.enter();
});
