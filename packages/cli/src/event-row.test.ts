import type { ContainerdEvent } from "@wfe-containerd/client";
import { expect, test } from "vitest";
import { eventLine, parseEventFilters, toEventRow } from "./event-row.js";

const event = (topic: string, payload: object, type = "containerd.events.X"): ContainerdEvent =>
  ({ timestamp: new Date("2026-01-31T12:00:00Z"), namespace: "default", topic, type, payload }) as never;

const EXIT = event("/tasks/exit", {
  $typeName: "containerd.events.TaskExit",
  containerId: "wfe-1",
  id: "wfe-1",
  pid: 7,
  exitStatus: 3,
  exitedAt: { seconds: 1n },
});
const IMAGE = event("/images/create", { name: "docker.io/library/alpine:3.20", labels: { team: "ci" } });

test("an event's line says what happened to what", () => {
  expect(eventLine(toEventRow(EXIT))).toBe(
    "2026-01-31T12:00:00.000Z container exit wfe-1 (pid=7, exitStatus=3)",
  );
  expect(eventLine(toEventRow(IMAGE))).toBe(
    "2026-01-31T12:00:00.000Z image create docker.io/library/alpine:3.20 (team=ci)",
  );
  expect(
    eventLine(toEventRow(event("/other/thing", { typeUrl: "x", value: new Uint8Array() }, "other"))),
  ).toBe("2026-01-31T12:00:00.000Z other thing");
});

test("a gap says that events may be missing, whatever is filtered", () => {
  const gap = event("", { message: "the daemon is gone" }, "gap");
  expect(toEventRow(gap)).toMatchObject({ event: "gap", attributes: { reason: "the daemon is gone" } });
  expect(parseEventFilters(["type=image"])(toEventRow(gap))).toBe(true);
});

test.each([
  [["type=container"], true],
  [["type=image"], false],
  [["type=image", "type=container"], true],
  [["type=container", "event=start"], false],
  [["event=exit", "container=wfe-1"], true],
  [["container=wfe"], true],
  [["container=1"], false],
  [["topic=/tasks/exit"], true],
  [["image=alpine"], false],
  [["label=team"], false],
])("%j on the exit of a step: %s", (filters, expected) => {
  expect(parseEventFilters(filters)(toEventRow(EXIT))).toBe(expected);
});

test("images and labels can be asked for", () => {
  const row = toEventRow(IMAGE);
  expect(parseEventFilters(["image=docker.io/library/alpine:3.20", "label=team=ci"])(row)).toBe(true);
  expect(parseEventFilters(["label=team=qa"])(row)).toBe(false);
});

test.each(["bogus=1", "type", "type=", ""])("%j is refused", (filter) => {
  expect(() => parseEventFilters([filter])).toThrow(/^--filter: .*; allowed: type=/);
});
