import { refuse, requireThat } from "../refuse.js";

/** A runtime that steps may name: the program that makes the container of a step, and starts its process. */
export interface RuntimeOptions {
  /**
   * The name by which containerd finds the shim: the program `containerd-shim-runc-v2` for
   * `io.containerd.runc.v2`.
   *
   * @default "io.containerd.runc.v2"
   */
  readonly type?: string | undefined;
  /**
   * The program that the shim of runc starts instead of runc: a name on the daemon's PATH, or an absolute
   * path on its machine. It must take runc's arguments, as crun and runsc do.
   */
  readonly binary?: string | undefined;
  /**
   * Whether its containers have a kernel of their own, as with gVisor and Kata. Nobody can put files into
   * such a container from outside, so steps with secrets are refused. Default: whether its type or its binary
   * has `runsc`, `kata` or `firecracker` in its name.
   */
  readonly sandboxed?: boolean | undefined;
}

/** A checked runtime. */
export interface Runtime {
  readonly type: string;
  readonly binary?: string | undefined;
  readonly sandboxed: boolean;
}

/** The runtimes that steps may name. */
export type Runtimes = Readonly<Record<string, Runtime>>;

const RUNC_TYPE = "io.containerd.runc.v2";
export const DEFAULT_RUNTIME: Runtime = { type: RUNC_TYPE, sandboxed: false };

/** What a runtime can be called. */
export const RUNTIME_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;
export const RUNTIME_NAME_FORMAT =
  "1 to 63 letters, digits, dots, dashes and underscores, a letter or digit first";
/** containerd takes an absolute path, too. But then it starts any program as root. */
const TYPE = /^[a-z0-9]+(\.[a-z0-9-]+)*\.v\d+$/;
/** A name without a slash is looked for on the PATH of the daemon. */
const BINARY = /^(?:[A-Za-z0-9][A-Za-z0-9_.-]*|\/[^\0]+)$/;
const OWN_KERNEL = /runsc|kata|firecracker/;

/** Guesses by its name whether the containers of a runtime have a kernel of their own. */
export function isSandboxed(type: string, binary = ""): boolean {
  return OWN_KERNEL.test(type) || OWN_KERNEL.test(binary.slice(binary.lastIndexOf("/") + 1));
}

/**
 * Checks the operator's runtimes. `runc` is always among them, unless the operator says what it is.
 *
 * @throws ExecutorError `refused`.
 */
export function parseRuntimes(given: unknown): Runtimes {
  requireThat(
    isMap(given),
    "runtimes",
    "is not a map",
    'names, and what each is; example: { crun: { binary: "crun" } }',
  );
  const parsed = Object.entries(given).map(([name, value]) => {
    const field = `runtimes.${name}`;
    requireThat(RUNTIME_NAME.test(name), field, "is not the name of a runtime", RUNTIME_NAME_FORMAT);
    requireThat(
      isMap(value),
      field,
      "is not a map",
      'type, binary and sandboxed; example: { binary: "crun" }',
    );
    return [name, parseRuntime(field, value)] as const;
  });
  return { runc: DEFAULT_RUNTIME, ...Object.fromEntries(parsed) };
}

function parseRuntime(field: string, given: Readonly<Record<string, unknown>>): Runtime {
  const { type = RUNC_TYPE, binary, sandboxed, ...others } = given;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) refuse(`${field}.${unknown}`, "is unknown", "type, binary and sandboxed");
  requireThat(
    typeof type === "string" && TYPE.test(type),
    `${field}.type`,
    `${JSON.stringify(type)} is not the type of a shim`,
    "a name as io.containerd.runc.v2; example: io.containerd.runsc.v1",
  );
  if (binary !== undefined) {
    requireThat(
      typeof binary === "string" && BINARY.test(binary),
      `${field}.binary`,
      `${JSON.stringify(binary)} is not a program`,
      "a name on the daemon's PATH, or an absolute path; example: /usr/bin/crun",
    );
    requireThat(
      type === RUNC_TYPE,
      `${field}.binary`,
      `is given, and the shim ${type} takes none`,
      `a binary with the type ${RUNC_TYPE}; or only the type`,
    );
  }
  requireThat(
    sandboxed === undefined || typeof sandboxed === "boolean",
    `${field}.sandboxed`,
    `${JSON.stringify(sandboxed)} is not allowed`,
    "true or false",
  );
  return { type, ...(binary !== undefined && { binary }), sandboxed: sandboxed ?? isSandboxed(type, binary) };
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
