import { describe, expect, test } from "vitest";
import { composeArgs, composeCwd, composeEnvironment, DEFAULT_PATH } from "./process.js";

describe("composeEnvironment", () => {
  test("the step's variables are over the image's, and the workflow's beside them", () => {
    expect(
      composeEnvironment({
        image: { Env: ["PATH=/opt/bin", "A=image", "B=image", "C=image", "EMPTY=", "EQ=a=b"] },
        data: new Map([
          ["C", "data"],
          ["D", "data"],
        ]),
        step: { B: "step", C: "step" },
      }),
    ).toEqual(["PATH=/opt/bin", "A=image", "B=step", "C=step", "EMPTY=", "EQ=a=b", "D=data"]);
  });

  test.each(["A", "PATH", "HOSTNAME", "TERM"])("data does not become %s, which is set already", (name) => {
    const data = new Map([[name, "data"]]);
    const image = { Env: ["A=image"] };
    expect(() => composeEnvironment({ image, data, hostname: "h", terminal: true })).toThrow(
      `data: ${name} is already set by the image or the system; allowed: another name; or set the variable in the step's env`,
    );
  });

  test("PATH has a default, HOSTNAME the container's name, TERM a value with a terminal", () => {
    expect(composeEnvironment({})).toEqual([`PATH=${DEFAULT_PATH}`]);
    expect(composeEnvironment({ image: { Env: null }, hostname: "h", terminal: true })).toEqual([
      `PATH=${DEFAULT_PATH}`,
      "HOSTNAME=h",
      "TERM=xterm",
    ]);
    expect(composeEnvironment({ step: { HOSTNAME: "mine", PATH: "/bin" }, hostname: "h" })).toEqual([
      "PATH=/bin",
      "HOSTNAME=mine",
    ]);
  });

  test.each(["NOTHING", "=x", "A=\0"])("an image with %j in its Env is refused", (entry) => {
    expect(() => composeEnvironment({ image: { Env: [entry] } })).toThrow(
      /^image: Env in the image's config/,
    );
  });

  test.each<Record<string, string>>([{ "": "x" }, { "A=B": "x" }, { "A\0": "x" }, { A: "\0" }])(
    "a step with %j is refused",
    (step) => {
      expect(() => composeEnvironment({ step })).toThrow(/^env: /);
    },
  );

  test("a value is not shown in the refusal", () => {
    expect(() => composeEnvironment({ step: { TOKEN: "secret\0" } })).toThrow(
      "env: the value of TOKEN has a NUL byte; allowed: a value without NUL bytes",
    );
  });

  test("a variable named __proto__ is one like any other", () => {
    expect(composeEnvironment({ step: JSON.parse('{"__proto__":"x"}') as Record<string, string> })).toContain(
      "__proto__=x",
    );
  });
});

describe("composeArgs", () => {
  const image = { Entrypoint: ["/entry", "-v"], Cmd: ["serve"] };

  test.each([
    ["the image's own", { image }, ["/entry", "-v", "serve"]],
    ["given arguments replace the image's", { image, args: ["x"] }, ["/entry", "-v", "x"]],
    ["a given entrypoint leaves the image's arguments out", { image, entrypoint: ["/mine"] }, ["/mine"]],
    ["both", { image, entrypoint: ["/mine"], args: ["x", ""] }, ["/mine", "x", ""]],
    ["an empty entrypoint takes the image's away", { image, entrypoint: [], args: ["/x"] }, ["/x"]],
    [
      'an entrypoint [""] takes the image\'s away',
      { image, entrypoint: [""], args: ["/x", "y"] },
      ["/x", "y"],
    ],
    ['an image\'s entrypoint [""] is none', { image: { Entrypoint: [""], Cmd: ["/bin/sh"] } }, ["/bin/sh"]],
    [
      'an image\'s entrypoint [""], and arguments',
      { image: { Entrypoint: [""], Cmd: ["/bin/sh"] }, args: ["/x"] },
      ["/x"],
    ],
    ["no entrypoint", { image: { Entrypoint: null, Cmd: ["/bin/sh"] } }, ["/bin/sh"]],
  ])("%s", (_, sources, expected) => {
    expect(composeArgs(sources)).toEqual(expected);
  });

  test.each([
    [{}, "command: is missing, and the image does not set a program; allowed: "],
    [{ image: { Entrypoint: [""], Cmd: [] } }, "command: is missing"],
    [{ image, entrypoint: [] }, "command: is empty, which removes the image's program, and args is missing"],
    [
      { image, entrypoint: [""] },
      "command: is empty, which removes the image's program, and args is missing",
    ],
    [{ image, entrypoint: [""], args: [""] }, "the program's name is empty"],
    [{ entrypoint: ["", "x"] }, "the program's name is empty"],
    [{ entrypoint: ["/x"], args: ["a\0b"] }, "an argument has a NUL byte"],
  ])("%j is refused", (sources, message) => {
    expect(() => composeArgs(sources)).toThrow(message);
  });
});

describe("composeCwd", () => {
  test.each([
    [undefined, undefined, "/"],
    [undefined, "", "/"],
    [undefined, "/app", "/app"],
    ["/work/", "/app", "/work"],
    ["//a/./b", undefined, "/a/b"],
    ["/process", undefined, "/process"],
  ])("%j in an image with %j is %j", (step, WorkingDir, expected) => {
    expect(composeCwd(step, { WorkingDir })).toBe(expected);
  });

  test.each([
    "",
    "work",
    "./x",
    "/a/../b",
    "/proc/self/fd/7",
    "/proc",
    "//proc/self/fd",
    "/./proc/x",
    "/a\0",
  ])("%j is refused", (cwd) => {
    expect(() => composeCwd(cwd)).toThrow(/^working_dir: /);
  });

  test("an image's is looked at as well", () => {
    expect(() => composeCwd(undefined, { WorkingDir: "/proc/self/fd/8" })).toThrow(/^image: /);
  });
});
