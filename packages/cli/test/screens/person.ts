import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import type { TestDaemon } from "@wfe-containerd/test-infra/daemon";
import { openTerminal, type Terminal, type TerminalSize } from "@wfe-containerd/test-infra/terminal";
import { afterAll, beforeAll, expect } from "vitest";
import { MAIN } from "../command.js";

/** A person with a directory of its own, who has set the address of the daemon. */
export interface Person {
  readonly directory: string;
  open(size?: TerminalSize): Promise<Terminal>;
}

/** Use it inside of tests only: the directory is made before the first one. */
export function usePerson(at: TestDaemon): Person {
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "test-screens-"));
    await mkdir(join(directory, "bin"));
    await symlink(MAIN, join(directory, "bin/wfe-containerd"));
  });
  afterAll(() => rm(directory, { recursive: true }));

  return {
    get directory() {
      return directory;
    },
    open: (size = { columns: 100, rows: 30 }) =>
      openTerminal({
        ...size,
        cwd: directory,
        env: {
          PATH: [join(directory, "bin"), dirname(process.execPath), process.env["PATH"]].join(delimiter),
          WFE_CONTAINERD_ADDR: at.daemon.address,
          CONTAINERD_NAMESPACE: at.client.namespace,
          WFE_IO_DIR: at.ioDir,
          DOCKER_CONFIG: directory,
        },
      }),
  };
}

export const prints = (screen: string, code = 0): object => ({ screen, code });
export const shows = (pattern: RegExp, code = 0): object => ({
  screen: expect.stringMatching(pattern),
  code,
});

/** Enters a line, waits for what it shows, types an answer, and waits for the prompt. */
export async function answer(terminal: Terminal, line: string, seen: string | RegExp, ...keys: string[]) {
  await terminal.enter(line);
  await terminal.shows(seen);
  await terminal.press(...keys);
  return terminal.ends(line);
}
