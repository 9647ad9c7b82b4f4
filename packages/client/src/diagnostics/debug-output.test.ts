import { expect, test } from "vitest";
import { debugTopics } from "./debug-output.js";

test.each([
  [undefined, []],
  ["", []],
  ["0", []],
  ["1", ["rpc", "registry", "step"]],
  ["rpc", ["rpc"]],
  [" step , rpc,", ["step", "rpc"]],
])("WFE_DEBUG=%s prints %j", (value, topics) => {
  expect(debugTopics(value)).toEqual(topics);
});

test.each(["rcp", "rpc,steps", "true", "1,rpc", "RPC", "*", "toString"])(
  "WFE_DEBUG=%s is refused",
  (value) => {
    expect(() => debugTopics(value)).toThrow(
      /^WFE_DEBUG: unknown topic ".*"; did you mean \w+\?; allowed: 1 for everything, or a list of rpc, registry, step, for example WFE_DEBUG=rpc,step$/,
    );
  },
);
