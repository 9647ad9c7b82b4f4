import type { Client } from "@wfe-containerd/client";
import { expect, test } from "vitest";
import { readRecord, type StepRecord } from "../core/recovery/step-record.js";
import { keepRecord, type toExtensions } from "./record-keeper.js";

const FIRST: StepRecord = {
  state: "preparing",
  name: "kept",
  image: { name: "busybox", digest: "sha256:0" },
  owner: "host/boot/1/2/3",
  claim: 0,
  output: { directory: "/io/kept", mode: "file", seal: "00" },
  secrets: [],
  stop: { signal: "SIGTERM", graceMs: 10_000 },
  log: { maxBytes: 1, policy: "fail" },
  programField: "run",
};

/** Keeps a record whose updates take the longer the earlier they are asked for. */
function keep() {
  const states: string[] = [];
  let delayMs = 20;
  const client = {
    containers: {
      async update(_id: string, { extensions }: { extensions: ReturnType<typeof toExtensions> }) {
        delayMs /= 2;
        await new Promise((resolve) => setTimeout(resolve, delayMs));
        const found = readRecord(Object.values(extensions)[0] as never);
        states.push(found.kind === "record" ? found.record.state : found.kind);
      },
    },
  } as unknown as Client;
  return { states, keeper: keepRecord({ patient: client, impatient: client }, "kept", FIRST) };
}

test("a step that is given up is not started: its record says so, after what was written before", async () => {
  const { states, keeper } = keep();
  await keeper.giveUp();
  const ready = keeper.ready({ startedAtMs: 1 });
  await keeper.giveUp();
  await ready;
  await keeper.giveUp();
  expect(states).toEqual(["ready", "preparing"]);
});

test("a step whose start was asked for is not given up, unless the runtime has refused it", async () => {
  const { states, keeper } = keep();
  await keeper.ready({ startedAtMs: 1 });
  keeper.starting();
  await keeper.giveUp();
  expect(states).toEqual(["ready"]);
  keeper.refused();
  await keeper.giveUp();
  expect(states).toEqual(["ready", "preparing"]);
});
