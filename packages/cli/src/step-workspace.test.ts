import { parseStep, type StepInput } from "@wfe-containerd/executor";
import { expect, test } from "vitest";
import { haveOneUser } from "./step-workspace.js";

test.each<[users: Partial<StepInput>[], expected: boolean]>([
  [[{}, {}], true],
  [[{}, { user: "65534:65534" }], true],
  [[{ user: "1000" }, { user: "1000" }], true],
  [[{}, { user: "0" }], false],
  [[{ user: "1000" }, { user: "1000:1000" }], false],
  [[{ user: "node" }, { user: "node" }], true],
  // A name may be another user in another image; a number is not.
  [[{ user: "node" }, { user: "node", image: "other" }], false],
  [[{ user: "1000" }, { user: "1000", image: "other" }], true],
  [[{}, { userNamespace: true }], false],
])("steps %j have one user: %s", (users, expected) => {
  expect(haveOneUser(users.map((user) => parseStep({ name: "a", image: "b", ...user })))).toBe(expected);
});
