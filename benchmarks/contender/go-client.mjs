import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const SOURCE = fileURLToPath(new URL("../go/step.go", import.meta.url));
const CACHE = fileURLToPath(new URL("../../.cache/bench/", import.meta.url));
/** Where Debian's packages of Go sources are. */
const GOPATH = "/usr/share/gocode";
const PACKAGES = "golang-go golang-github-containerd-containerd-dev";

/** Builds the program. Undefined, with a hint, if Debian's packages are not there. */
async function build() {
  const client = join(GOPATH, "src/github.com/containerd/containerd/client.go");
  const hasGo = await promisify(execFile)("go", ["version"]).then(
    () => true,
    () => false,
  );
  if (!hasGo || !existsSync(client)) {
    console.log(`Without containerd's Go client. To compare with it: apt-get install ${PACKAGES}`);
    return undefined;
  }
  await mkdir(CACHE, { recursive: true });
  const program = join(CACHE, "step-go");
  // Minutes for the first time; seconds afterwards, because Go keeps what it has built.
  await promisify(execFile)("go", ["build", "-o", program, SOURCE], {
    env: { ...process.env, GO111MODULE: "off", GOPATH, GOCACHE: join(CACHE, "go"), GOFLAGS: "" },
  });
  return program;
}

/**
 * Starts a process that runs steps with containerd's Go client, all on one connection, as our executor does.
 *
 * @returns undefined if it cannot be built here.
 */
export async function startGoClient({ daemon, namespace, image, directory }) {
  const program = await build();
  if (program === undefined) return undefined;
  const child = spawn(program, [daemon.socketPath, namespace, image, directory], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    pid: child.pid,
    /**
     * Runs steps.
     *
     * @param kind `filtered`: with a seccomp filter, as our steps have; `exec`: in a container that is there.
     * @returns the milliseconds of each.
     */
    async run(total, width, kind = "step") {
      child.stdin.write(`${total} ${width} ${kind}\n`);
      const { value, done } = await answers.next();
      if (done) throw new Error("the Go client has ended");
      return JSON.parse(value);
    },
    async stop() {
      child.stdin.end();
      if (child.exitCode === null) await once(child, "exit");
    },
  };
}
