import type { StepDevice } from "../spec/devices.js";
import type { ResourceLimits } from "../spec/resources.js";
import type { Ulimit } from "../spec/rlimits.js";
import type { SeccompProfile } from "../spec/seccomp.js";
import type { RetryPolicy } from "./retry.js";

/** A checked step. Durations are in milliseconds, sizes in bytes. */
export interface StepConfig {
  readonly name: string;
  readonly image: string;
  /** Replaces the image's entrypoint. Undefined: the image's own program. */
  readonly command?: readonly string[] | undefined;
  /** The field that names the program, if the image does not. */
  readonly programField: "run" | "shell" | "command";
  /** A script that `command` runs from a file in the container. */
  readonly script?: string | undefined;
  /** Replaces the image's arguments. */
  readonly args?: readonly string[] | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly workingDir?: string | undefined;
  readonly user?: string | undefined;
  /** Gids, or names of the image's groups. */
  readonly groupAdd: readonly (number | string)[];
  readonly init: boolean;

  /** Directories and files of the daemon's machine. */
  readonly volumes: readonly HostVolume[];
  readonly namedVolumes: readonly NamedVolume[];
  readonly caches: readonly Cache[];
  readonly tmpfs: readonly Tmpfs[];
  /** The secrets that the step asks for. Their values are not part of the step. */
  readonly secrets: readonly SecretRequest[];
  readonly readOnly: boolean;
  readonly shmSizeBytes?: number | undefined;

  readonly network: "none" | "host" | "bridge";
  readonly hostname?: string | undefined;
  readonly extraHosts: readonly { readonly name: string; readonly address: string }[];
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly dnsOptions: readonly string[];

  readonly resources: ResourceLimits;
  readonly ulimits: Readonly<Record<string, Ulimit>>;
  readonly oomScoreAdj?: number | undefined;

  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly privileged: boolean;
  readonly noNewPrivileges?: boolean | undefined;
  readonly seccomp: "default" | "unconfined" | SeccompProfile;
  readonly apparmorProfile?: string | undefined;
  readonly userNamespace: boolean;
  /** One of the operator's runtimes, by name. */
  readonly runtime?: string | undefined;
  readonly devices: readonly StepDevice[];
  readonly sysctls: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;

  readonly pull: "always" | "if-not-present" | "never";
  readonly registryAuth?:
    | Readonly<Record<string, { readonly username: string; readonly password: string }>>
    | undefined;
  readonly containerdAddr?: string | undefined;
  readonly tls?:
    | {
        readonly ca?: string | undefined;
        readonly cert?: string | undefined;
        readonly key?: string | undefined;
      }
    | undefined;
  /** How much of its output is kept, and what happens to more. Undefined: as the executor says. */
  readonly maxLogBytes?: number | undefined;
  readonly onLogLimit?: "fail" | "truncate" | "drop-oldest" | undefined;
  readonly timeoutMs?: number | undefined;
  readonly stopSignal?: string | undefined;
  readonly stopGraceMs?: number | undefined;
  readonly retry: RetryPolicy;
  readonly labels: Readonly<Record<string, string>>;
}

/** A directory or file of the daemon's machine, mounted in the container. */
export interface HostVolume {
  /** Its index in the step's `volumes`. */
  readonly index: number;
  readonly source: string;
  readonly target: string;
  readonly readonly: boolean;
  readonly propagation?: "rprivate" | "rslave" | undefined;
  readonly noexec?: boolean | undefined;
}

/** A named directory that the executor keeps on the daemon's machine. */
export interface NamedVolume {
  readonly name: string;
  readonly target: string;
  readonly readonly: boolean;
  readonly noexec?: boolean | undefined;
}

/** Like a named volume, but it may be deleted whenever no step uses it. */
export interface Cache {
  readonly name: string;
  readonly target: string;
}

/** A directory in memory. */
export interface Tmpfs {
  readonly target: string;
  readonly sizeBytes?: number | undefined;
  readonly mode?: number | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly readonly?: boolean | undefined;
  readonly noexec?: boolean | undefined;
}

/** A secret that a step asks for. */
export interface SecretRequest {
  readonly name: string;
  /** Path of the file in the container. */
  readonly target: string;
  /** Whether its value is masked in the step's output. */
  readonly mask: boolean;
}
