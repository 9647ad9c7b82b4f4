import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { json, text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { buildImage, busyboxLayer, dockerArchive } from "@wfe-containerd/test-infra/images";

const run = promisify(execFile);
export const DOCKER_IMAGE = "bench:latest";
const POLL_MS = 50;

/**
 * Starts Debian's dockerd on the same containerd. It is asked over its HTTP API, as dockerode asks it: no
 * program is started for a call.
 *
 * @returns undefined, with a hint, if dockerd is not there.
 */
export async function startDocker({ daemon, directory }) {
  const hasDocker = await run("dockerd", ["--version"]).then(
    () => true,
    () => false,
  );
  if (!hasDocker) {
    console.log("Without docker. To compare with it: apt-get install --no-install-recommends docker.io");
    return undefined;
  }
  const place = join(directory, "docker");
  await mkdir(place);
  const socketPath = join(place, "docker.sock");
  const child = spawn(
    "dockerd",
    [
      `--containerd=${daemon.socketPath}`,
      `--host=unix://${socketPath}`,
      `--data-root=${join(place, "data")}`,
      `--exec-root=${join(place, "exec")}`,
      `--pidfile=${join(place, "pid")}`,
      "--bridge=none",
      "--iptables=false",
      "--log-level=error",
    ],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  const agent = new Agent({ keepAlive: true });
  const ask = askerOf({ socketPath, agent });
  const stop = async () => {
    agent.destroy();
    child.kill("SIGTERM");
    if (child.exitCode === null) await once(child, "exit");
  };
  try {
    await answers(ask, child);
    await ask(
      "POST",
      "/images/load?quiet=1",
      await dockerArchive(await buildImage({ layers: [await busyboxLayer()] }), [DOCKER_IMAGE]),
    );
    const host = await create(ask, ["/bin/busybox", "sleep", "100000"]);
    await ask("POST", `/containers/${host}/start`);
    return {
      address: `unix://${socketPath}`,
      /** A container of its own: made, started, waited for, removed. */
      async step() {
        const id = await create(ask, ["/bin/true"]);
        const ended = ask("POST", `/containers/${id}/wait?condition=next-exit`);
        await ask("POST", `/containers/${id}/start`);
        expectEnd((await ended).StatusCode);
        await ask("DELETE", `/containers/${id}`);
      },
      /** A process in a container that is there. */
      async exec() {
        const { Id } = await ask("POST", `/containers/${host}/exec`, {
          Cmd: ["/bin/true"],
          AttachStdout: true,
          AttachStderr: true,
        });
        // Its answer ends with the process.
        await ask("POST", `/exec/${Id}/start`, { Detach: false, Tty: false });
        expectEnd((await ask("GET", `/exec/${Id}/json`)).ExitCode);
      },
      async stop() {
        await ask("DELETE", `/containers/${host}?force=true`).catch(() => undefined);
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function create(ask, command) {
  const { Id } = await ask("POST", "/containers/create", {
    Image: DOCKER_IMAGE,
    Cmd: command,
    HostConfig: { NetworkMode: "none" },
  });
  return Id;
}

/** @returns what asks the daemon, and gives its answer: from JSON, if it is. */
function askerOf({ socketPath, agent }) {
  return async (method, path, body) => {
    const isArchive = body instanceof Uint8Array;
    const headers = body && { "content-type": isArchive ? "application/x-tar" : "application/json" };
    const asked = request({ socketPath, agent, method, path, headers });
    asked.end(body === undefined || isArchive ? body : JSON.stringify(body));
    const [response] = await once(asked, "response");
    const isJson = response.headers["content-type"] === "application/json";
    if (response.statusCode < 400) return isJson ? json(response) : text(response);
    throw new Error(`docker: ${method} ${path}: ${response.statusCode}: ${await text(response)}`);
  };
}

async function answers(ask, child) {
  while (child.exitCode === null) {
    const isUp = await ask("GET", "/_ping").then(
      () => true,
      () => false,
    );
    if (isUp) return;
    await delay(POLL_MS);
  }
  throw new Error(`dockerd ended with exit code ${child.exitCode}`);
}

function expectEnd(exitCode) {
  if (exitCode !== 0) throw new Error(`docker: the step ended with exit code ${exitCode}`);
}
