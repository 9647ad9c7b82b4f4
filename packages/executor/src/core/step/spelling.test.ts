import { expect, test } from "vitest";
import { ExecutorError } from "../../error.js";
import { parseStep } from "./parse-step.js";
import { spellError, spellingOf, spellText } from "./spelling.js";

function issuesOf(input: object) {
  try {
    parseStep({ name: "s", image: "alpine", ...input });
  } catch (reason) {
    return (reason as ExecutorError).issues;
  }
  return [];
}

test.each<[object, string, string]>([
  [{ workingDir: "/w", tls: {} }, "tls", "is given without containerdAddr"],
  [{ working_dir: "/w", tls: {} }, "tls", "is given without containerd_addr"],
  [{ tls: {} }, "tls", "is given without containerd_addr"],
  [{ timeout: "1s", timeoutMs: 5 }, "timeout", "is given together with timeoutMs"],
  [{ timeout: "1s", timeout_ms: 5 }, "timeout", "is given together with timeout_ms"],
  [{ memorySwap: "1g" }, "memorySwap", "limits memory and swap together, but memory is missing"],
  [{ capAdd: ["NET_ADMN"] }, "capAdd", '"NET_ADMN" is not a capability; did you mean NET_ADMIN?'],
  [{ workingDri: "/w" }, "workingDri", "is an unknown field; did you mean workingDir?"],
  [{ working_dri: "/w" }, "working_dri", "is an unknown field; did you mean working_dir?"],
  [{ workingdir: "/w" }, "workingdir", "is an unknown field; did you mean working_dir?"],
  [{ workingdir: "/w", capDrop: [] }, "workingdir", "is an unknown field; did you mean workingDir?"],
  [
    { "working-directory": "/w", capDrop: [] },
    "working-directory",
    "is an unknown field; did you mean workingDir?",
  ],
  [
    { volumes: [{ souce: "/a", target: "/b" }] },
    "volumes[0].souce",
    "is an unknown field; did you mean source?",
  ],
  [{ tls: { kay: "x" } }, "tls.kay", "is an unknown field; did you mean key?"],
  [
    { registryAuth: { h: { usrname: "u", password: "p" } } },
    "registryAuth.h.usrname",
    "is an unknown field; did you mean username?",
  ],
])("%j: the error about %s speaks in the case that was typed", (input, field, message) => {
  expect(issuesOf(input)).toContainEqual(expect.objectContaining({ field, message }));
});

test("a field of a step that was typed twice is named in both cases", () => {
  expect(issuesOf({ working_dir: "/a", workingDir: "/b" })).toEqual([
    {
      field: "workingDir",
      message: "is given together with working_dir",
      allowed: "only one of working_dir and workingDir",
    },
  ]);
});

test("a refusal, too, speaks in the case that was typed, and leaves what is quoted", () => {
  const allowed = "by the policy's maximum_stop_grace_ms";
  const issue = { field: "stop_grace", message: '"stop_grace" is not stop_grace', allowed };
  const error = new ExecutorError(`refused: stop_grace: ${issue.message}; allowed: ${allowed}`, {
    kind: "refused",
    issues: [issue],
  });
  expect(spellError(error, spellingOf({ stopGrace: "61s" }))).toMatchObject({
    kind: "refused",
    message:
      'refused: stopGrace: "stop_grace" is not stopGrace; allowed: by the policy\'s maximumStopGraceMs',
    issues: [{ field: "stopGrace", allowed: "by the policy's maximumStopGraceMs" }],
  });
  expect(spellError(error, spellingOf({ stop_grace: "61s" }))).toEqual(error);
});

test("a long text is spelled in linear time", () => {
  const text = `${'\\"'.repeat(500_000)}${"a_".repeat(500_000)}`;
  expect(spellText(text, (field) => field)).toBe(text);
});
