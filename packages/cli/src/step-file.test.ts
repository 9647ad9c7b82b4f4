import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parsePolicy, STEP_FIELDS } from "@wfe-containerd/executor";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MistakesError, UsageError } from "./failure.js";
import { readStepFile, type StepFile } from "./step-file.js";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "test-step-file-"));
});
afterAll(() => rm(directory, { recursive: true }));

async function readFile(contents: string): Promise<StepFile> {
  const file = join(directory, "step.yaml");
  await writeFile(file, contents);
  return readStepFile(file);
}

async function read(contents: string): Promise<unknown> {
  return (await readFile(contents)).steps;
}

/** What is wrong with a file, a text for each mistake. */
async function mistakesOf(contents: string): Promise<readonly string[]> {
  const reason = await readFile(contents).catch((error: unknown) => error);
  expect(reason).toBeInstanceOf(MistakesError);
  return (reason as MistakesError).mistakes;
}

test("a file of many keys is read in the time that its length takes", async () => {
  const labels = Object.fromEntries(Array.from({ length: 40_000 }, (_, at) => [`k${at}`, "v"]));
  const step = { name: "a", image: "b", labels };
  expect(await read(JSON.stringify(step))).toEqual([step]);
});

test.each([
  "a: 1\nb: 2\na: 3",
  "{a: 1, b: 2, a: 3}",
  'a: 1\n"a": 2',
  "steps: [{a: 1, b: {c: 1, c: 2}}]",
  '1: x\n"1": y',
])("a key that is given twice is refused: %j", async (contents) => {
  await expect(read(contents)).rejects.toThrow(/is given twice, the second time in line \d/);
});

test("a file has a mebibyte at most", async () => {
  await expect(read(`# ${"x".repeat(1024 * 1024)}`)).rejects.toThrow(
    "step.yaml: is larger than 1 MiB; allowed: up to 1048576 bytes",
  );
  await expect(readStepFile("/dev/zero")).rejects.toThrow("/dev/zero: is larger than 1 MiB");
});

test("a file that is not there, and a directory, are said", async () => {
  await expect(readStepFile(join(directory, "none"))).rejects.toThrow(/cannot read .*none: ENOENT/);
  await expect(readStepFile(directory)).rejects.toThrow(/: EISDIR/);
});

describe("values are the text as written", () => {
  const written = [
    ["1.10", "1.10"],
    ["0123", "0123"],
    ["12345678901234567890", "12345678901234567890"],
    ["0xFF", "0xFF"],
    ["0o17", "0o17"],
    ["True", "True"],
    ["yes", "yes"],
    ["1e3", "1e3"],
    [".inf", ".inf"],
    ["-0", "-0"],
    ["+1", "+1"],
    ["2026-01-31", "2026-01-31"],
    ["1_000", "1_000"],
    ["12:30:00", "12:30:00"],
    ["", ""],
    ["~", ""],
    ["null", ""],
    ['"~"', "~"],
    ["'null'", "null"],
    ["!!str 1.10", "1.10"],
  ] as const;
  test.each(written)("%j in a map, a list, and where one text stands", async (source, text) => {
    const [step] = (await read(
      `name: a\nimage: b\nenv:\n  V: ${source}\nlabels: {V: ${source} }\nargs: [x, ${source === "" ? "''" : source}]\n` +
        `annotations:\n  V: ${source}\nregistry_auth: {h: {username: ${source}, password: ${source}}}\n`,
    )) as object[];
    expect(step).toEqual({
      name: "a",
      image: "b",
      env: { V: text },
      labels: { V: text },
      args: ["x", text],
      annotations: { V: text },
      registry_auth: { h: { username: text, password: text } },
    });
  });

  test("in JSON too", async () => {
    const numbers = '{"A": 1.10, "B": 12345678901234567890, "C": 1E400, "D": true, "E": null, "F": "x"}';
    expect(await read(`{"name": "a", "image": "b", "env": ${numbers}}`)).toMatchObject([
      { env: { A: "1.10", B: "12345678901234567890", C: "1E400", D: "true", E: "", F: "x" } },
    ]);
  });

  test("every number of JSON, and every plain word, keeps its characters", async () => {
    const number = fc.stringMatching(/^-?(?:0|[1-9]\d{0,30})(?:\.\d{1,20})?(?:[eE][+-]?\d{1,3})?$/);
    const word = fc.stringMatching(/^[A-Za-z0-9._+-][A-Za-z0-9._+-]{1,12}$/);
    // The end of a document, a list's dash and an empty value are not words.
    const plain = word.filter((text) => !/^(?:-+|\.\.\.|null|Null|NULL)$/.test(text));
    await fc.assert(
      fc.asyncProperty(number, plain, async (digits, text) => {
        const contents = `{"name": "a", "image": "b", "env": {"N": ${digits}, "W": ${text}}}`;
        expect(await read(contents)).toMatchObject([{ env: { N: digits, W: text } }]);
      }),
    );
  });

  test("as names of variables, of steps and images, users and more", async () => {
    const rest = "user: 0123\nhostname: 1e3\nsysctls: {kernel.shmmax: 0x10}\ncpuset_cpus: 0\ntimeout: 10s";
    expect(
      await read(`name: 1.10\nimage: 0123\nenv: {1.10: x, null: y, True: z, A:}\n${rest}`),
    ).toMatchObject([
      {
        name: "1.10",
        image: "0123",
        env: { "1.10": "x", null: "y", True: "z", A: "" },
        user: "0123",
        hostname: "1e3",
        sysctls: { "kernel.shmmax": "0x10" },
        cpuset_cpus: "0",
      },
    ]);
  });

  test("where a number or true and false is meant, they are what YAML says", async () => {
    const contents = "name: a\nimage: b\ninit: True\ncpu: 1e0\noom_score_adj: 0x10\nulimits: {nofile: 0o17}";
    expect(await read(contents)).toEqual([
      { name: "a", image: "b", init: true, cpu: 1, oom_score_adj: 16, ulimits: { nofile: 15 } },
    ]);
  });

  test("fields without a value are as not given", async () => {
    expect(await read("name: a\nimage: b\nenv:\nvolumes: ~\ninit:\n")).toEqual([{ name: "a", image: "b" }]);
  });
});

test("anchors, aliases and merge keys", async () => {
  const steps = await read(`
x-defaults: &defaults {image: alpine, env: &env {A: 1.10, B: 2}}
steps:
  - <<: *defaults
    name: one
  - {name: two, <<: *defaults, env: {<<: [*env, {C: 0x3}], B: 02}}
  - name: three
    <<: [{image: other}, *defaults]
    command: &command [echo, 1.0]
  - {name: four, image: a, command: *command}
`);
  expect(steps).toEqual([
    { name: "one", image: "alpine", env: { A: "1.10", B: "2" } },
    { name: "two", image: "alpine", env: { A: "1.10", B: "02", C: "0x3" } },
    { name: "three", image: "other", env: { A: "1.10", B: "2" }, command: ["echo", "1.0"] },
    { name: "four", image: "a", command: ["echo", "1.0"] },
  ]);
});

test("aliases that stand for too much, or for themselves, are refused", async () => {
  const levels = Array.from({ length: 9 }, (_, at) => `x-${at + 1}: &a${at + 1} [${`*a${at}, `.repeat(9)}]`);
  const bomb = ["x-0: &a0 [x]", ...levels, "steps: [{name: a, image: b, args: *a9}]"].join("\n");
  await expect(read(bomb)).rejects.toThrow("step.yaml: aliases expand to too many values");
  await expect(read("name: a\nimage: b\nargs: &a [*a]")).rejects.toThrow(/an alias contains itself/);
  await expect(read(`name: ${"[".repeat(20_000)}`)).rejects.toThrow(
    "step.yaml: lists and maps are nested too deeply",
  );
});

test.each([
  "&a\n<<: *a\nname: x\nimage: b",
  "name: x\nimage: b\nenv: &e\n  <<: [*e, *e]\n  A: b",
  "name: x\nimage: b\nenv:\n  <<: &s [*s]",
  "x-a: &a {b: &b {<<: *a}}\nsteps: [{name: x, image: b, env: *b}]",
])("a merge key that takes over what it is a part of is refused: %j", async (contents) => {
  await expect(read(contents)).rejects.toThrow("an alias contains itself");
});

test("merge keys and chains of aliases are bounded", async () => {
  const keys = Array.from({ length: 1000 }, (_, at) => `k${at}: v`).join(", ");
  const wide = `x-b: &b {${keys}}\nx-c: &c {<<: [${"*b,".repeat(10_000)}]}\nsteps: [{name: a, image: b, env: *c}]`;
  await expect(read(wide)).rejects.toThrow("step.yaml: aliases expand to too many values");
  const links = Array.from({ length: 8000 }, (_, at) => `x-${at + 1}: &a${at + 1} {k: *a${at}}`);
  const deep = ["x-0: &a0 {}", ...links, "steps: [{name: a, image: b, labels: *a8000}]"].join("\n");
  await expect(read(deep)).rejects.toThrow("step.yaml: lists and maps are nested too deeply");
});

test("what is not YAML, and not UTF-8, is told with its place", async () => {
  await expect(read("name: a\nenv:\n\tA: b\n")).rejects.toThrow(
    /step\.yaml: line 3, column 1: Tabs are not allowed as indentation$/,
  );
  await expect(read("- name: a\n  image: b")).rejects.toThrow(
    "the file contains a list; put the list under the key steps:",
  );
  await expect(read("\uFEFFname: a\nimage: b")).resolves.toEqual([{ name: "a", image: "b" }]);
  const file = join(directory, "utf16.yaml");
  await writeFile(file, Buffer.from("\uFEFFname: a", "utf16le"));
  await expect(readStepFile(file)).rejects.toThrow("utf16.yaml: is not UTF-8 text");
});

describe("mistakes", () => {
  test("many of them are found in the time that the file's length takes; the first hundred have lines", async () => {
    const unknown = Array.from({ length: 40_000 }, (_, at) => `K${at}: v`);
    const reason = await read(["name: a", "image: b", ...unknown].join("\n")).catch(
      (error: unknown) => error,
    );
    const { mistakes } = reason as MistakesError;
    expect(mistakes).toHaveLength(40_000);
    expect(mistakes[0]).toBe("line 3: K0: is an unknown field");
    expect(mistakes[99]).toBe("line 102: K99: is an unknown field");
  });

  test("of all steps are told at once, each with its line and as it was typed", async () => {
    const contents = `steps:
  - name: build
    imgae: alpine
    env:
      GOOD: 1
      "": bad
  - name: test
    image: alpine
    workingDir: relative
    init: sometimes
    volumes:
      - /a:/b
      - source: /c
        target: relative
  - image: alpine
    cpu: fast
    network: wifi
  - name: Build
    image: a
    run: x
    run: y
`;
    const reason = await read(contents).catch((error: unknown) => error);
    expect(reason).toBeInstanceOf(MistakesError);
    const { mistakes } = reason as MistakesError;
    expect(mistakes.map((each) => each.replace(/;.*/s, "")).toSorted()).toEqual([
      '"run" is given twice, the second time in line 21',
      'line 10: steps[1]: init: "sometimes" is text',
      expect.stringMatching(/^line 14: steps\[1\]: volumes\[1\]\.target: "relative"/),
      "line 15: steps[2]: name: name is missing",
      'line 16: steps[2]: cpu: "fast" is text',
      'line 17: steps[2]: network: "wifi" is not allowed',
      "line 18: steps[3]: name: Build and build would give their outputs the same variable names",
      "line 2: steps[0]: image: image is missing",
      "line 3: steps[0]: imgae: is an unknown field",
      'line 6: steps[0]: env: "" is not a valid name',
      expect.stringMatching(/^line 9: steps\[1\]: workingDir: "relative" is not/),
    ]);
    expect(mistakes.join("\n")).toContain("imgae: is an unknown field; did you mean image?");
    expect(mistakes.join("\n")).toContain(
      "image is missing; give the image to run in, for example image: alpine:3.20",
    );
    expect(mistakes.join("\n")).not.toMatch(/Invalid|expected|received/);
  });

  test.each([
    [
      "on: push\njobs: {a: {runs-on: x, steps: [{uses: actions/checkout@v4}]}}",
      "a GitHub workflow (it has jobs)",
    ],
    ["name: x\nruns: {using: composite, steps: []}", "a GitHub action (it has runs)"],
    ["services: {web: {image: nginx}}", "a Docker Compose file (it has services)"],
    ["version: '3'\nname: x\nservices: {web: {image: nginx}}", "a Docker Compose file (it has services)"],
    ["stages: [build]\nbuild: {stage: build, script: [make]}", "a GitLab CI file (it has stages)"],
    ["image: alpine\nbuild: {script: [make]}", "a GitLab CI file (it has script)"],
    ["version: 2.1\njobs: {build: {docker: []}}", "a CircleCI configuration (it has jobs and version)"],
    ["apiVersion: v1\nkind: Pod", "a Kubernetes manifest (it has apiVersion and kind)"],
    ["trigger: [main]\nsteps: [{script: x}]", "an Azure pipeline (it has trigger or pool)"],
    ["pipelines: {default: []}", "a Bitbucket pipeline (it has pipelines)"],
    ['{"name": "x", "version": "1", "scripts": {}}', "a package.json (it has scripts)"],
    ["# syntax\nFROM alpine\nRUN make", "a Dockerfile"],
    ["#!/bin/sh\necho hello", "a script"],
  ])("%j is said to be no step file", async (contents, kind) => {
    await expect(read(contents)).rejects.toThrow(
      `step.yaml: this is ${kind}, not a step file; allowed: a step`,
    );
  });

  test.each([
    ["steps: [{uses: actions/checkout@v4}]", /uses: is an unknown field; a step cannot run GitHub's actions/],
    ["{name: a, image: b, entrypoint: [x]}", /did you mean command\?/],
    ["{name: a, image: b}\n---\n{name: c, image: d}", /more than one document \(---\); allowed: one/],
    ["", /the file does not contain a step/],
    ["[{name: a, image: b}]", /the file contains a list/],
    ["{name: a, image: b, env: 5}", /env: is a number; allowed: a map, or a list/],
    ["{name: a, image: b, env: [{A: 1}]}", /env/],
    ["{name: a, image: b, env: {A: [1]}}", /env\.A: is a list; allowed: text/],
    ["{name: a, image: b, command: []}", /command: is empty; allowed: 1 or more entries/],
    ["{name: a, image: b, command: echo hi}", /command: "echo hi" is text; allowed: a list/],
    ["{name: a, image: b, cpu: 0}", /cpu: 0 is too small; allowed: 0\.01 or more/],
    ["{name: a, image: b, labels: {io.x: y}}", /labels/],
    ["steps: [5]", /steps\[0\]: step: "?5"? is .*; allowed: a map/],
    ["{name: a, image: b, volumes: [{src: /a, target: /b}]}", /volumes\[0\]/],
  ])("%j is refused in plain words", async (contents, message) => {
    const reason = await read(contents).catch((error: unknown) => error);
    expect(reason).toMatchObject({ message: expect.stringMatching(message) });
    expect(String(reason)).not.toMatch(/Invalid|expected|received|Unrecognized|Too small|nonoptional/);
  });
});

describe("workspace:", () => {
  test("is a path of all steps", async () => {
    const file = await readFile("workspace: /work\nsteps: [{name: a, image: b}]");
    expect(file).toMatchObject({
      workspace: "/work",
      session: undefined,
      steps: [{ name: "a", image: "b" }],
    });
    expect((await readFile("workspace:\nsteps: [{name: a, image: b}]")).workspace).toBe(undefined);
  });

  test.each([
    [
      "workspace: work",
      'line 1: workspace: "work" cannot be the path of a directory in the container; allowed: an',
    ],
    ["workspace: /", 'line 1: workspace: "/" cannot be the path'],
    ["workspace: /proc/x", 'line 1: workspace: "/proc/x" cannot be the path'],
    ["workspace: /a/../b", 'line 1: workspace: "/a/../b" cannot be the path'],
    ["workspace: [/work]", "line 1: workspace: the value is not text; allowed: a path in the container"],
    ["workspace: 5", "line 1: workspace: the value is not text"],
  ])("%s is refused", async (line, message) => {
    const mistakes = await mistakesOf(`${line}\nsteps: [{name: a, image: b}, {name: c, image: d}]`);
    expect(mistakes).toEqual([expect.stringContaining(message)]);
  });

  test("mistakes in it and in the steps are told at once, each with its line", async () => {
    const contents = `workspace: /work
steps:
  - name: a
    image: b
    tmpfs: [/work]
  - name: c
    image: d
    containerd_addr: unix:///x.sock
  - name: e
    image: f
    volumes:
      - /srv/x:/work
  - name: g
    image: h
    secrets: [{name: s, target: /work/s}]
  - name: i
    image: j
    network: wifi
`;
    expect((await mistakesOf(contents)).map((each) => each.replace(/; allowed.*/s, ""))).toEqual([
      "line 5: steps[0]: tmpfs: two mounts have the target /work; one of the mounts is the workspace, /work",
      "line 8: steps[1]: containerd_addr: cannot be used together with workspace, which is on the daemon of --address",
      "line 11: steps[2]: volumes: two mounts have the target /work; one of the mounts is the workspace, /work",
      expect.stringMatching(/^line 15: steps\[3\]: secrets: .* one of the mounts is the workspace, \/work$/),
      'line 18: steps[4]: network: "wifi" is not allowed',
    ]);
  });
});

describe("session: true", () => {
  test("gives all steps one container", async () => {
    const file = await readFile(
      "session: true\nimage: alpine\nmemory: 64m\nx-a: {k: v}\nsteps: [{name: a, run: ls}, {name: b, command: [ls], user: 5}]",
    );
    expect(file).toMatchObject({
      session: { name: "session", image: "alpine", memory: "64m" },
      workspace: undefined,
      steps: [
        { name: "a", image: "alpine", run: "ls" },
        { name: "b", image: "alpine", command: ["ls"], user: "5" },
      ],
    });
    expect(Object.keys(file.session ?? {})).toEqual(["name", "image", "memory"]);
    const merged = await readFile(
      "x-b: &b {image: alpine}\nsession: true\n<<: *b\nname: n\nsteps: [{name: a, run: ls}]",
    );
    expect(merged.session).toEqual({ name: "n", image: "alpine" });
  });

  test("mistakes in the container and in the steps are told at once, each with its line", async () => {
    const contents = `session: true
workspace: /work
memory: lots
timeout: 1m
retry: {attempts: 2}
colour: red
steps:
  - name: a
    run: ls
    memory: 64m
    secrets: [token, {name: key, target: /keys/key}]
  - name: b
    run: ls
    retry: {attempts: 2}
    timeout: soon
  - name: c
    user: root
  - name: d
    image: alpine
    workingDir: relative
    command: [ls]
    init: true
`;
    expect((await mistakesOf(contents)).map((each) => each.replace(/; (?:allowed|give).*/s, ""))).toEqual([
      "line 1: image: image is missing",
      'line 3: memory: "lots" is not a size',
      "line 4: timeout: belongs to a step of the session",
      "line 5: retry: needs a container for each step",
      "line 6: colour: is an unknown field",
      "line 10: steps[0]: memory: belongs to the container that all steps share",
      "line 11: steps[0]: secrets[1].target: cannot be chosen in a session",
      "line 14: steps[1]: retry: needs a container for each step",
      'line 15: steps[1]: timeout: "soon" is not a duration',
      "line 16: steps[2]: run: is missing; in a session, the image's own program is not started",
      "line 19: steps[3]: image: belongs to the container that all steps share",
      'line 20: steps[3]: workingDir: "relative" is not allowed',
      "line 22: steps[3]: init: needs a container for each step",
    ]);
  });

  test.each([
    [
      "session: yes\nsteps: [{name: a, image: b}]",
      /^line 1: session: is not true or false; allowed: true, false$/,
    ],
    [
      "steps: [{name: a, image: b}]\nimage: b",
      /^line 2: the key image is not allowed next to steps; allowed: .*session: true/,
    ],
    ["session: false\nsteps: [{name: a, image: b}]\nmemory: 1g", /^line 3: the key memory is not allowed/],
    [
      "name: a\nimage: b\nsession: true",
      /^line 3: session: is only for a file with a list of steps; allowed: next to steps:$/,
    ],
    [
      "steps:\n- name: a\n  image: b\n  workspace: /w",
      /^line 4: steps\[0\]: workspace: belongs to the whole file; allowed: workspace next to steps:$/,
    ],
    [
      "session: true\nimage: b\nsteps:\n- name: a\n  run: b\n  session: true",
      /^line 6: steps\[0\]: session: belongs to the whole file; allowed: session next to steps:$/,
    ],
    ["name: a\nimage: b\nworkspace: /w", /^line 3: workspace: is only for a file with a list of steps/],
    [
      "session: true\nimage: b\nworkspace: /w\ntmpfs: [/w]\nsteps: [{name: a, run: x}]",
      /^line 4: tmpfs: two mounts have the target \/w; one of the mounts is the workspace/,
    ],
  ])("%j is refused", async (contents, message) => {
    expect(await mistakesOf(contents)).toEqual([expect.stringMatching(message)]);
  });
});

test("whatever stands next to steps and in them, the file is read or refused in words", async () => {
  const some = (value: fc.Arbitrary<unknown>) => fc.oneof(value, fc.jsonValue());
  const field = fc.constantFrom(...Object.keys(STEP_FIELDS), "workingDir", "session", "workspace", "x-a");
  const map = fc.dictionary(field, some(fc.constantFrom("/work", "alpine", "5m", true, null)), {
    maxKeys: 5,
  });
  const step = fc.tuple(map, fc.record({ name: fc.constantFrom("a", "b"), image: fc.constant("alpine") }));
  const file = fc.record(
    {
      steps: some(fc.array(some(step.map(([given, rest]) => ({ ...rest, ...given }))))),
      session: some(fc.boolean()),
      workspace: some(fc.constantFrom("/work", "/proc", "work")),
    },
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(file, map, async (outer, next) => {
      try {
        (await readFile(JSON.stringify({ ...next, ...outer }))).checkPolicy(parsePolicy({}));
      } catch (reason) {
        expect(reason).toBeInstanceOf(UsageError);
      }
    }),
  );
});

describe("what the policy does not allow", () => {
  test("is told with its line, in all steps, and in the container of a session", async () => {
    const refusals = async (contents: string): Promise<readonly string[]> => {
      try {
        (await readFile(contents)).checkPolicy(parsePolicy({}));
        return [];
      } catch (reason) {
        return (reason as MistakesError).mistakes;
      }
    };
    const steps = "steps:\n- name: a\n  image: b\n  privileged: true\n- name: c\n  image: d\n  network: host";
    expect(await refusals(`workspace: /w\n${steps}`)).toEqual([
      expect.stringMatching(/^line 5: steps\[0\]: privileged/),
      expect.stringMatching(/^line 8: steps\[1\]: network/),
    ]);
    expect(
      await refusals(
        "session: true\nimage: b\nnetwork: host\nworkspace: /w\nsteps:\n- name: a\n  run: x\n  user: image",
      ),
    ).toEqual([
      expect.stringMatching(/^line 3: network/),
      expect.stringMatching(/^line 8: steps\[0\]: user/),
    ]);
  });
});
