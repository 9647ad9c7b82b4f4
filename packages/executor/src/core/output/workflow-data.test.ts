import fc from "fast-check";
import { expect, test } from "vitest";
import { toWorkflowData } from "../../workflow-data.js";
import { toVariables } from "./workflow-data.js";

test("a result becomes data under the step's name, its outputs too", () => {
  const result = {
    name: "build",
    stdout: "o",
    stderr: "e",
    exitCode: 0,
    outputs: { image: "x", exit_code: "9" },
  };
  const data = { "build.exit_code": 0, "build.outputs.image": "x", "build.outputs.exit_code": "9" };
  expect(toWorkflowData(result)).toEqual(data);
  expect(toWorkflowData(result, { logs: true })).toEqual({
    "build.stdout": "o",
    "build.stderr": "e",
    ...data,
  });
  expect(Object.fromEntries(toVariables(toWorkflowData(result, { logs: true })))).toEqual({
    BUILD_STDOUT: "o",
    BUILD_STDERR: "e",
    BUILD_EXIT_CODE: "0",
    BUILD_OUTPUTS_IMAGE: "x",
    BUILD_OUTPUTS_EXIT_CODE: "9",
  });
});

// Names that an attacker may write: shells, linkers and interpreters take orders from them.
const COMMANDING =
  `PATH HOME ENV IFS SHELLOPTS BASHOPTS BASH_ENV BASH_FUNC_LS LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT DYLD_INSERT_LIBRARIES
NODE_OPTIONS NODE_PATH JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS MAVEN_OPTS PERL5OPT PERL5LIB PERL5DB PYTHONPATH PYTHONSTARTUP
PYTHONHOME PYTHONINSPECT RUBYOPT RUBYLIB GIT_SSH GIT_SSH_COMMAND GIT_CONFIG_COUNT GIT_EXEC_PATH GIT_ASKPASS GIT_PAGER SSH_ASKPASS
SSH_AUTH_SOCK HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY GOPROXY GOFLAGS MAKEFLAGS CFLAGS RUSTFLAGS RUSTC_WRAPPER NPM_CONFIG_REGISTRY
PIP_INDEX_URL TMPDIR LUA_INIT GCONV_PATH GLIBC_TUNABLES PROMPT_COMMAND PS4 EDITOR VISUAL PAGER LESSOPEN SSL_CERT_FILE CURL_CA_BUNDLE
JAVA_HOME CLASSPATH ZDOTDIR FPATH CDPATH SHELL HOSTNAME`.split(/\s+/);

test("no output of a step is a variable that programs take orders from, nor one of another step", () => {
  const name = fc.oneof(
    fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,8}$/),
    fc.constantFrom("bash", "ld", "node", "git", "git_ssh", "npm_config", "http", "java", "python"),
  );
  const key = fc.oneof(
    fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_-]{0,8}$/),
    fc.constantFrom(
      ...COMMANDING,
      "env",
      "preload",
      "options",
      "path",
      "command",
      "registry",
      "proxy",
      "tool_options",
    ),
  );
  fc.assert(
    fc.property(name, key, (step, output) => {
      const data = toWorkflowData({
        name: step,
        stdout: "",
        stderr: "",
        exitCode: 0,
        outputs: { [output]: "x" },
      });
      for (const variable of toVariables(data).keys()) {
        expect(variable).toMatch(/_(?:STDOUT|STDERR|EXIT_CODE)$|_OUTPUTS_/);
        expect(COMMANDING).not.toContain(variable);
      }
    }),
  );
});

test.each(COMMANDING)("data that would become %s is refused", (name) => {
  for (const key of [name, name.toLowerCase(), name.toLowerCase().replace("_", ".")])
    expect(() => toVariables({ [key]: "x" })).toThrow(
      `becomes the variable ${name}, which changes how programs work`,
    );
});

test.each([
  "release",
  "version",
  "git_commit",
  "git.branch",
  "node_version",
  "python_version",
  "image",
  "url",
  "src",
])("data may be called %s", (key) => expect(toVariables({ [key]: "x" }).size).toBe(1));

test("two keys of the caller's that become one variable are refused: nobody could say which it is", () => {
  expect(() => toVariables({ "a-b": 1, a_b: 2 })).toThrow(
    "data: a_b becomes the variable A_B, as does a-b; allowed: only one of the two",
  );
});

const resultOf = (name: string, outputs: Record<string, string>) =>
  toWorkflowData({ name, stdout: "", stderr: "", exitCode: 0, outputs });

test.each([
  ["in case", resultOf("a", { version: "1", VERSION: "2" }), { A_OUTPUTS_VERSION: "2" }],
  ["the other way", resultOf("a", { VERSION: "2", version: "1" }), { A_OUTPUTS_VERSION: "1" }],
  ["in a dash", resultOf("a", { "a-b": "1", a_b: "2" }), { A_OUTPUTS_A_B: "2" }],
  ["in both", resultOf("a", { a_b: "1", "A-b": "2", A_B: "3" }), { A_OUTPUTS_A_B: "3" }],
])("of outputs of one step that differ only %s, the later one is the next step's", (_, data, expected) => {
  expect(Object.fromEntries(toVariables(data))).toMatchObject(expected);
});

test("no step's choice of a key replaces another step's data, whichever came first", () => {
  const outer = resultOf("a", { b_outputs_c: "a's choice", exit_code: "0" });
  const inner = { ...resultOf("a_outputs_b", { c: "the author's" }), "a-outputs.exit_code": 7 };
  for (const data of [
    { ...outer, ...inner },
    { ...inner, ...outer },
  ])
    expect(Object.fromEntries(toVariables(data))).toMatchObject({
      A_OUTPUTS_B_OUTPUTS_C: "the author's",
      A_OUTPUTS_EXIT_CODE: "7",
    });
});

test("the caller's own names come before those of steps", () => {
  const step = resultOf("a", { x: "the step's" });
  for (const data of [
    { ...step, "a-outputs-x": "mine", a_exit_code: 5 },
    { "a-outputs-x": "mine", a_exit_code: 5, ...step },
  ])
    expect(Object.fromEntries(toVariables(data))).toMatchObject({ A_OUTPUTS_X: "mine", A_EXIT_CODE: "5" });
});

test("values become text; what is nothing is passed over", () => {
  expect(Object.fromEntries(toVariables({ a: 1, "b.x-y": true, c: "s", d: null, e: undefined }))).toEqual({
    A: "1",
    B_X_Y: "true",
    C: "s",
  });
});

test("a step's whole output is passed over when no variable can hold it; anything else is refused", () => {
  expect([...toVariables({ "s.stdout": "x\0", "s.stderr": "y".repeat(200_000), ok: "1" })]).toEqual([
    ["OK", "1"],
  ]);
  expect(() => toVariables({ key: "x\0" })).toThrow(expect.objectContaining({ kind: "invalid-argument" }));
  expect(() => toVariables({ key: "ü".repeat(70_000) })).toThrow("data: key has a NUL byte or is too long");
  expect(toVariables({ key: "y".repeat(128 * 1024 - "KEY=".length - 1) }).size).toBe(1);
});

test("what is no value of a workflow is refused, not written down as something else", () => {
  for (const value of [{}, [], { toString: null }, Symbol("x"), 1n, () => 1]) {
    expect(() => toVariables({ a: value } as never)).toThrow(
      /^data: a is (?:of type \w+|a list); allowed: text, a number, true or false$/,
    );
  }
  expect([...toVariables(JSON.parse('{"__proto__": "x"}'))]).toEqual([["__PROTO__", "x"]]);
});
