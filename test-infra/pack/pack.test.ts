import { execFile } from "node:child_process";
import { access, cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findNode } from "../../scripts/nodes.mjs";
import { busyboxArchive } from "../images/build.js";
import { optionsOf, spellings, TRAPS, trapOptions, writeProbe, writeTraps } from "./node-options.js";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** Falls back to the pnpm of the set-up. */
const PATH_WITH_PNPM = {
  ...process.env,
  PATH: `${process.env["PATH"]}:${join(ROOT, ".cache/pnpm/node_modules/pnpm")}`,
};
const PACKAGES = ["proto", "client", "executor", "cli"];

let project: string;
let archive: string;

/**
 * Makes a project outside of the workspace, with the four tarballs. Everything else comes from the registry.
 */
beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), "wfe-packed-"));
  const tarballs = join(project, "tarballs");
  for (const name of PACKAGES) {
    await run("pnpm", ["pack", "--pack-destination", tarballs], {
      cwd: join(ROOT, "packages", name),
      env: PATH_WITH_PNPM,
    });
  }
  await cp(new URL("consumer", import.meta.url), project, { recursive: true });
  await writeFile(
    join(project, "package.json"),
    JSON.stringify({ name: "consumer", private: true, type: "module" }),
  );
  const files = (await readdir(tarballs)).map((name) => `./tarballs/${name}`);
  const nodeTypes = JSON.parse(
    await readFile(join(ROOT, "node_modules/@types/node/package.json"), "utf8"),
  ).version;
  await run("npm", ["install", "--no-audit", "--no-fund", ...files, `@types/node@${nodeTypes}`], {
    cwd: project,
  });
  archive = join(project, "busybox.tar");
  await writeFile(archive, await busyboxArchive());
});

afterAll(async () => {
  await rm(project, { recursive: true, force: true });
});

test.each(PACKAGES)("the tarball of %s is what users are to get", async (name) => {
  const directory = join(project, "node_modules/@wfe-containerd", name);
  const text = await readFile(join(directory, "package.json"), "utf8");
  // `workspace:` and `catalog:` mean something only in the workspace.
  expect(text).not.toMatch(/workspace:|catalog:/);
  const files = await readdir(directory, { recursive: true });
  expect(files).toContain("LICENSE");
  expect(files.filter((file) => /\.test\.|tsbuildinfo|^test\//.test(file))).toEqual([]);
  // No package is installed twice, or comes from a registry instead of its tarball.
  expect(await readdir(directory)).not.toContain("node_modules");
});

async function compile(config: string): Promise<void> {
  await run(join(ROOT, "node_modules/.bin/tsc"), ["-p", join(project, config)]).catch((error) => {
    throw new Error(error.stdout);
  });
}

let compiled: Promise<void> | undefined;
/** Compiles the programs that run. */
function compilePrograms(): Promise<void> {
  compiled ??= compile("tsconfig.json");
  return compiled;
}

test.each([
  ["with the module resolution of bundlers", "tsconfig.bundler.json"],
  ["with the module resolution of Node 16", "tsconfig.node16.json"],
  ["with Connect's own types", "tsconfig.connect.json"],
  ["with undefined for every option", "tsconfig.undefined.json"],
])("a user's program passes the type checker, declarations included, %s", async (_, config) => {
  await compile(config);
});

test("a user's program passes the type checker under NodeNext without DOM types, and runs a step", async () => {
  await compilePrograms();
  const { stdout } = await run(process.execPath, ["consumer.js", archive], { cwd: project });
  expect(JSON.parse(stdout)).toEqual({
    kind: "not-found",
    cause: "exit",
    data: {
      "packed.stdout": "from a tarball\n##wfe[output answer=42]\n",
      "packed.stderr": "",
      "packed.exit_code": 5,
      "packed.outputs.answer": "42",
    },
  });
});

test("the command runs a step file, and gives a container the variables of a file", async () => {
  const { startDaemon } = await import("@wfe-containerd/client/daemon");
  // As for other daemons of tests: a machine that also runs other suites needs long.
  await using daemon = await startDaemon({ readyTimeoutMs: 100_000 });
  const command = join(project, "node_modules/.bin/wfe-containerd");
  const call = (...args: string[]) => run(command, ["--address", daemon.address, ...args], { cwd: project });
  await call("import", archive);
  await writeFile(
    join(project, "step.yaml"),
    "name: file\nimage: busybox\nrun: echo from the command; exit 9\n",
  );
  await expect(call("step", "step.yaml")).rejects.toMatchObject({ code: 9, stdout: "from the command\n" });
  await writeFile(join(project, "variables"), "NODE_OPTIONS=--require=/no/such/file\nGIVEN=yes\n");
  const { stdout } = await call("run", "--env-file", "variables", "busybox", "env");
  expect(stdout.split("\n")).toEqual(
    expect.arrayContaining(["NODE_OPTIONS=--require=/no/such/file", "GIVEN=yes"]),
  );
});

describe.each([20, 22, 24])("on Node %d", (major) => {
  let env: NodeJS.ProcessEnv;
  let node: string;
  beforeAll(async () => {
    node = (await findNode(major)).path;
    env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env["PATH"]}` };
    await writeTraps(project);
  });

  test("a CommonJS program requires the packages", async () => {
    await compilePrograms();
    const { stdout } = await run(node, ["commonjs.cjs"], { cwd: project });
    expect(JSON.parse(stdout)).toEqual(["required", true, "function", "function"]);
  });

  test("none of Node's options behind the command's name is Node's", async () => {
    const args = spellings(await optionsOf(node), TRAPS);
    const { stdout } = await run(await writeProbe(project), args, { cwd: project, env });
    const withoutPwd = Object.entries(env).filter(
      ([name]) => !["PWD", "OLDPWD", "_", "SHLVL"].includes(name),
    );
    const { version, args: seen, execArgv, variables, inspector } = JSON.parse(stdout);
    expect(version).toMatch(`v${major}.`);
    expect({ args: seen, execArgv, inspector }).toEqual({ args, execArgv: [], inspector: null });
    expect(Object.entries(variables)).toEqual(expect.arrayContaining(withoutPwd));
    expect(Object.keys(variables)).not.toContain(TRAPS.variable);
  });

  test.each([
    ["before the image", (option: string[]) => ["run", ...option, "busybox"]],
    ["behind the image", (option: string[]) => ["run", "busybox", "echo", ...option]],
    ["of a step file", (option: string[]) => ["step", "no-such-file.yaml", ...option]],
    ["without a command", (option: string[]) => option],
  ])("no option that makes Node run code does so %s", async (_, place) => {
    const command = join(project, "node_modules/.bin/wfe-containerd");
    const args = ["--address", "/no/such.sock", ...place(trapOptions(TRAPS))];
    const { stderr } = await run(command, args, { cwd: project, env }).catch((error) => error);
    expect(stderr).toMatch(/^(?:wfe-containerd|error): /);
    expect(stderr).not.toMatch(/Debugger|Warning/);
    await expect(access(join(project, TRAPS.proof))).rejects.toThrow("ENOENT");
  });

  test("the trap works: without the launcher Node runs it", async () => {
    const main = join(project, "node_modules/@wfe-containerd/cli/dist/main.js");
    await run(node, [main, "schema", "--env-file", TRAPS.variables], { cwd: project, env }).catch(
      () => undefined,
    );
    await access(join(project, TRAPS.proof));
    await rm(join(project, TRAPS.proof));
  });
});

test("OpenTelemetry's API is needed only by what makes spans and metrics of it", async () => {
  await compilePrograms();
  const load = ["--input-type=module", "--eval", "await import('@wfe-containerd/executor/opentelemetry')"];
  await expect(run(process.execPath, load, { cwd: project })).rejects.toThrow(/@opentelemetry\/api/);
  const { peerDependencies } = JSON.parse(
    await readFile(join(project, "node_modules/@wfe-containerd/executor/package.json"), "utf8"),
  );
  const api = `@opentelemetry/api@${peerDependencies["@opentelemetry/api"]}`;
  await run("npm", ["install", "--no-audit", "--no-fund", api], { cwd: project });
  await compile("tsconfig.opentelemetry.json");
  for (const major of [20, 22, 24]) {
    const { path } = await findNode(major);
    for (const program of ["opentelemetry.js", "opentelemetry-commonjs.cjs"])
      expect((await run(path, [program], { cwd: project })).stdout).toBe("instrumented\n");
  }
});
