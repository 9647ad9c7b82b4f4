import * as z from "zod";
import { RUNTIME_NAME, RUNTIME_NAME_FORMAT } from "../plan/runtime.js";
import { parseCapabilities } from "../spec/capabilities.js";
import { checkDevice, parseDevice, type StepDevice } from "../spec/devices.js";
import type { SeccompProfile } from "../spec/seccomp.js";
import { parseSeccompProfile } from "../spec/seccomp-parse.js";
import { declare } from "./declaration.js";
import { noNul, parsedBy, text, withPattern } from "./field.js";

function capabilities(field: string) {
  return z
    .array(withPattern(z.string(), /^[A-Za-z_]+$/))
    .transform((names, context) => parsedBy(context, names, (given) => parseCapabilities(given, field)))
    .default([]);
}

const seccomp = z
  .union([
    z.enum(["default", "unconfined"]),
    z
      .looseObject({ defaultAction: z.string() })
      .transform((profile, context): SeccompProfile => parsedBy(context, profile, parseSeccompProfile)),
  ])
  .default("default");

const apparmorProfile = text(
  "the name of a profile that is loaded on the daemon's machine",
  /^[\w./+-]{1,255}$/,
);

const deviceFields = z.strictObject({
  path: withPattern(z.string(), /^\/dev\//),
  type: z.enum(["b", "c"]),
  major: z.number(),
  minor: z.number(),
  access: z.string().meta({ description: "Some of r, w and m (mknod). Default: rwm." }).optional(),
});

const devices = z
  .array(
    z.union([
      deviceFields.transform((device, context): StepDevice => parsedBy(context, device, checkDevice)),
      withPattern(z.string(), /^\/dev\//).transform(
        (value, context): StepDevice => parsedBy(context, value, parseDevice),
      ),
    ]),
  )
  .default([]);

const sysctls = z.record(z.string(), z.union([z.string(), z.number()]).transform(String)).default({});

/** containerd and its runtimes take orders from annotations with these keys. */
const RESERVED_ANNOTATIONS =
  /^(containerd\.io|io\.containerd|io\.cri-containerd|io\.kubernetes\.cri|org\.systemd\.property)/;

const annotations = z
  .record(
    text(
      "1 to 255 ASCII characters without blanks, not beginning with containerd.io, io.containerd, io.cri-containerd, io.kubernetes.cri or org.systemd.property",
      (key) => /^[\x21-\x7e]{1,255}$/.test(key) && !RESERVED_ANNOTATIONS.test(key),
      /^[!-~]{1,255}$/,
    ),
    text("up to 4096 characters without NUL bytes", (value) => value.length <= 4096 && noNul(value)),
  )
  .default({});

/** What separates the step from the daemon's machine. */
export const confinementFields = {
  cap_add: declare(capabilities("cap_add"), {
    summary: "Capabilities to add: names with or without `CAP_`, or `ALL`",
    default: "root has docker's fourteen, other users none",
    examples: [["NET_ADMIN"]],
    policy: ["capabilities"],
    flag: { usage: "--cap-add <name>", help: "capability to add, or ALL", repeatable: true },
  }),
  cap_drop: declare(capabilities("cap_drop"), {
    summary: "Capabilities to take away: names with or without `CAP_`, or `ALL`",
    examples: [["ALL"]],
    flag: { usage: "--cap-drop <name>", help: "capability to drop, or ALL", repeatable: true },
  }),
  privileged: declare(z.boolean().default(false), {
    summary: "Give every capability, no seccomp filter, nothing masked",
    details:
      "The step may create and open any device, but the machine's devices are not added to its `/dev`.",
    policy: ["privileged"],
    flag: { usage: "--privileged", help: "all capabilities and devices, no seccomp filter, nothing masked" },
  }),
  no_new_privileges: declare(z.boolean().optional(), {
    summary: "Let set-uid programs gain no privileges",
    default: "`true`, unless the step is privileged",
    policy: ["newPrivileges"],
    flag: "--security-opt no-new-privileges",
  }),
  seccomp: declare(seccomp, {
    summary: "Filter of system calls: `default`, `unconfined`, or a profile in the form of docker's files",
    default: "docker's profile, without AF_ALG and AF_VSOCK sockets",
    policy: ["seccomp"],
    flag: "--security-opt seccomp",
  }),
  apparmor_profile: declare(apparmorProfile.optional(), {
    summary: "Name of an AppArmor profile that is loaded on the daemon's machine, or `unconfined`",
    default:
      "the profile for containers (`docker-default` and the like) that is loaded on the daemon's machine; none if the daemon is remote, because the executor cannot know which profiles are loaded",
    examples: ["unconfined"],
    policy: ["apparmorProfiles"],
    flag: "--security-opt apparmor",
  }),
  runtime: declare(text(RUNTIME_NAME_FORMAT, RUNTIME_NAME).optional(), {
    summary: "Runtime that makes the container, by a name that the operator has listed",
    details:
      "The operator lists runtimes in the option `runtimes` of the executor: crun, gVisor and others. With a runtime whose containers have a kernel of their own, a step cannot have secrets.",
    default: "runc",
    examples: ["crun"],
    flag: {
      usage: "--runtime <runtime>",
      help: "runc (default), another program such as crun or /usr/bin/runsc, or a shim such as io.containerd.runsc.v1",
    },
  }),
  user_namespace: declare(z.boolean().default(false), {
    summary: "Map the step's user and group ids to other ids on the daemon's machine",
    details:
      "It needs containerd 2.x with overlayfs, and Linux 5.19. It cannot be combined with secrets, `privileged` or the host's network. Files in a volume from that machine appear as owned by nobody, unless they belong to the mapped ids.",
    flag: {
      usage: "--userns <namespace>",
      help: "private: the step's user ids are unused ones on the daemon's machine",
      choices: ["host", "private"],
      default: "host",
    },
  }),
  devices: declare(devices, {
    summary:
      "Devices: `/dev/fuse` and others whose numbers are fixed, or `{ path, type, major, minor, access }`",
    default: "null, zero, full, random, urandom, tty and the terminals",
    examples: [["/dev/fuse"], [{ path: "/dev/loop0", type: "b", major: 7, minor: 0, access: "r" }]],
    policy: ["devices"],
    flag: { usage: "--device <device>", help: "device: /dev/fuse, or path:path:rwm", repeatable: true },
  }),
  sysctls: declare(sysctls, {
    summary: "Kernel parameters of the step's own namespaces",
    default: "only those that let a step listen on any port and send pings, if it has its own network",
    examples: [{ "net.core.somaxconn": 1024 }],
    policy: ["sysctls"],
    flag: {
      usage: "--sysctl <name=value>",
      help: "kernel parameter: net.ipv4.ip_forward=1",
      repeatable: true,
    },
  }),
  annotations: declare(annotations, {
    summary: "Annotations of the container, for its runtime",
    examples: [{ "run.oci.keep_original_groups": "1" }],
    policy: ["annotations"],
    flag: {
      usage: "--annotation <key=value>",
      help: "annotation for the container runtime",
      repeatable: true,
    },
  }),
};
