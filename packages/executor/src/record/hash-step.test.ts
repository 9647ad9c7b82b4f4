import { expect, test } from "vitest";
import { differingFields } from "../core/recovery/step-record.js";
import { parseStep } from "../core/step/parse-step.js";
import { hashStep } from "./hash-step.js";

const STEP = { name: "hashed", image: "busybox", run: "echo a", env: { A: "1", B: "2" } };
const hash = (step: object, data = {}) => hashStep(parseStep({ ...STEP, ...step }), data);

test("a step has the same hash however its fields are ordered, and wherever its image is pulled from", () => {
  expect(hash({ env: { B: "2", A: "1" }, pull: "never" })).toEqual(hash({}));
});

test.each([
  [{ run: "echo b" }, ["run"]],
  [{ shell: "/bin/ash" }, ["run"]],
  [{ run: undefined, command: ["a"] }, ["command", "run"]],
  [{ env: { A: "1" }, timeoutMs: 5 }, ["env", "timeout_ms"]],
  [{ volumes: ["/a:/b"] }, ["volumes"]],
])("the fields in which a step differs by %o are %o", (change, fields) => {
  expect(differingFields(hash(change), hash({}))).toEqual(fields);
});

test("other data of the workflow makes another step", () => {
  expect(differingFields(hash({}, { key: 1 }), hash({}, { key: 2 }))).toEqual(["data"]);
});
