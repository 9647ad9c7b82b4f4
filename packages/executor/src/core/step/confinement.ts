import { z } from "zod";
import { parseCapabilities } from "../spec/capabilities.js";
import { checkDevice, parseDevice, type StepDevice } from "../spec/devices.js";
import type { SeccompProfile } from "../spec/seccomp.js";
import { parseSeccompProfile } from "../spec/seccomp-parse.js";
import { noNul, parsedBy, text } from "./field.js";

export function capabilities(field: string) {
  return z
    .array(z.string())
    .transform((names, context) => parsedBy(context, names, (given) => parseCapabilities(given, field)))
    .default([]);
}

export const seccomp = z
  .union([
    z.enum(["default", "unconfined"]),
    z
      .looseObject({ defaultAction: z.string() })
      .transform((profile, context): SeccompProfile => parsedBy(context, profile, parseSeccompProfile)),
  ])
  .default("default")
  .describe("Filter of system calls: default, unconfined, or a profile as docker has them in files.");

export const apparmorProfile = text("the name of a profile that is loaded on the daemon's machine", (value) =>
  /^[\w./+-]{1,255}$/.test(value),
).describe("AppArmor profile of the process.");

const deviceFields = z.strictObject({
  path: z.string(),
  type: z.enum(["b", "c"]),
  major: z.number(),
  minor: z.number(),
  access: z.string().optional(),
});

export const devices = z
  .array(
    z.union([
      deviceFields.transform((device, context): StepDevice => parsedBy(context, device, checkDevice)),
      z.string().transform((value, context): StepDevice => parsedBy(context, value, parseDevice)),
    ]),
  )
  .default([])
  .describe(
    "Devices: /dev/fuse and others whose numbers are fixed, or { path, type, major, minor, access }.",
  );

export const sysctls = z
  .record(z.string(), z.union([z.string(), z.number()]).transform(String))
  .default({})
  .describe("Kernel parameters of the step's own namespaces.");

/** containerd and its runtimes take orders from annotations with these keys. */
const RESERVED_ANNOTATIONS =
  /^(containerd\.io|io\.containerd|io\.cri-containerd|io\.kubernetes\.cri|org\.systemd\.property)/;

export const annotations = z
  .record(
    text(
      "1 to 255 characters without blanks, and none that runtimes take orders from",
      (key) => /^[\x21-\x7e]{1,255}$/.test(key) && !RESERVED_ANNOTATIONS.test(key),
    ),
    text("up to 4096 characters without NUL", (value) => value.length <= 4096 && noNul(value)),
  )
  .default({})
  .describe("Annotations of the container, for its runtime.");
