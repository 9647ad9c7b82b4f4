import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

export type RuncCommand = "create" | "start" | "exec" | "pause" | "kill" | "delete";

/** A runc whose next calls can be made to fail or to take long. */
export interface RuncStandIn extends AsyncDisposable {
  /** For `useDaemon`: its containerd finds the stand-in as `runc`. */
  readonly binDir: string;
  /**
   * Runs a shell script before the next calls of a command of runc. If the script exits, runc is not called
   * after it. In the script, `real "$@"` calls runc.
   *
   * @param times how many calls. Default 1.
   */
  before(command: RuncCommand, script: string, times?: number): Promise<void>;
  /** From now on, runc does its work again. */
  heal(): Promise<void>;
}

/** Makes a runc that fails. */
export const FAIL = "echo 'the stand-in fails' >&2; exit 1";

export async function createRuncStandIn(): Promise<RuncStandIn> {
  const directory = await mkdtemp(join(tmpdir(), "runc-stand-in-"));
  const binDir = join(directory, "bin");
  const tricks = join(directory, "tricks");
  await mkdir(binDir);
  await mkdir(tricks);
  const others = [process.env["WFE_CONTAINERD_BIN_DIR"], process.env["PATH"], "/usr/sbin", "/sbin"];
  const path = others.filter((part) => part !== undefined && part !== "").join(delimiter);
  const program = async (name: string, text: string): Promise<void> => {
    await writeFile(join(binDir, name), `#!/bin/sh\n${text}\n`);
    await chmod(join(binDir, name), 0o755);
  };
  await program(
    "containerd",
    `real="$(PATH='${path}'; command -v containerd)"\nPATH='${binDir}:${path}' exec "$real" "$@"`,
  );
  // Renaming a file succeeds for one of two calls only, so each trick is used once. The other takes the next.
  await program(
    "runc",
    `real() { (PATH='${path}' exec runc "$@"); }
for arg; do
  case "$arg" in create|start|exec|pause|kill|delete)
    for trick in '${tricks}'/"$arg".*; do
      if mv "$trick" '${tricks}'/used.$$ 2>/dev/null; then . '${tricks}'/used.$$; break; fi
    done
    break;;
  esac
done
PATH='${path}' exec runc "$@"`,
  );
  let made = 0;
  return {
    binDir,
    async before(command, script, times = 1) {
      for (let left = times; left > 0; left--)
        await writeFile(join(tricks, `${command}.${String(made++).padStart(6, "0")}`), `${script}\n`);
    },
    async heal() {
      for (const name of await readdir(tricks)) await rm(join(tricks, name), { force: true });
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}
