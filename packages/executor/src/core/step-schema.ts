import { z } from "zod";
import { DURATION_FORMAT, parseDuration } from "./duration.js";
import { parseSize, SIZE_FORMAT } from "./size.js";
import { parseUser } from "./user.js";

/** Refuses, in words: what is wrong, and what is allowed. */
function refuse(context: z.RefinementCtx, message: string, allowed: string): never {
  context.addIssue({ code: "custom", message, params: { allowed } });
  return z.NEVER;
}

function text(allowed: string, isValid: (value: string) => boolean): z.ZodString {
  return z.string().superRefine((value, context) => {
    if (!isValid(value)) refuse(context, `${JSON.stringify(value.slice(0, 80))} is not allowed`, allowed);
  });
}

const noNul = (value: string): boolean => !value.includes("\0");

const name = text("1 to 64 letters, digits, dots, dashes and underscores, a letter or digit first", (value) =>
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(value),
).describe("Names the step: in results, in labels, and in the data for later steps.");

const argument = text("anything without NUL", noNul);

const environmentName = (value: string): boolean => value !== "" && !/[=\0]/.test(value);
/** The kernel's limit for one string of argv or the environment (MAX_ARG_STRLEN). */
const MAX_VARIABLE_BYTES = 128 * 1024;
const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String);

const env = z
  .union([
    z.record(z.string(), scalar),
    z.array(z.string()).transform((entries, context) => {
      const variables: Record<string, string> = {};
      for (const entry of entries) {
        const at = entry.indexOf("=");
        if (at < 1)
          return refuse(context, `${JSON.stringify(entry.slice(0, 80))} is no variable`, "NAME=value");
        const key = entry.slice(0, at);
        if (key in variables) return refuse(context, `${key} is given twice`, "each name once");
        variables[key] = entry.slice(at + 1);
      }
      return variables;
    }),
  ])
  .superRefine((variables, context) => {
    for (const [key, value] of Object.entries(variables)) {
      const size = new TextEncoder().encode(`${key}=${value}`).byteLength;
      if (!environmentName(key))
        refuse(context, `${JSON.stringify(key.slice(0, 80))} is no name`, "a name without = and NUL");
      else if (!noNul(value)) refuse(context, `the value of ${key} holds NUL`, "a value without NUL");
      else if (size >= MAX_VARIABLE_BYTES)
        refuse(context, `${key} has ${size} bytes`, `fewer than ${MAX_VARIABLE_BYTES}, with its name`);
    }
  })
  .describe("Environment variables: a map, or a list of NAME=value.");

const RESERVED_TARGETS = ["/proc", "/sys", "/dev"];

/** Absolute, and without any part that leads elsewhere than it says. */
const isPlainPath = (path: string): boolean =>
  path.startsWith("/") && noNul(path) && !path.split("/").some((part) => part === ".." || part === ".");

/** One way to write a path that was checked: no doubled or trailing slash. */
const normalPath = (path: string): string =>
  `/${path
    .split("/")
    .filter((part) => part !== "")
    .join("/")}`;

const target = z.string().transform((value, context) => {
  const path = normalPath(value);
  const isReserved = RESERVED_TARGETS.some(
    (reserved) => path === reserved || path.startsWith(`${reserved}/`),
  );
  if (!isPlainPath(value) || path === "/" || isReserved) {
    return refuse(
      context,
      `${JSON.stringify(value.slice(0, 200))} cannot be mounted on`,
      "an absolute path without . and .., not / and not in /proc, /sys or /dev",
    );
  }
  return path;
});

const source = z
  .string()
  .transform((value, context) =>
    isPlainPath(value) && !/[:,]/.test(value)
      ? normalPath(value)
      : refuse(
          context,
          `${JSON.stringify(value.slice(0, 200))} is no source`,
          "an absolute path on the daemon's machine, without . and .., colon and comma",
        ),
  );

const volume = z
  .union([
    z.strictObject({ source, target, readonly: z.boolean().default(false) }),
    z
      .string()
      .transform((value, context) => {
        const [from, to, mode, ...more] = value.split(":");
        if (
          from === undefined ||
          to === undefined ||
          more.length > 0 ||
          (mode !== undefined && mode !== "ro" && mode !== "rw")
        ) {
          return refuse(
            context,
            `${JSON.stringify(value.slice(0, 200))} is no volume`,
            "source:target, source:target:ro",
          );
        }
        return { source: from, target: to, readonly: mode === "ro" };
      })
      .pipe(z.strictObject({ source, target, readonly: z.boolean() })),
  ])
  .describe("A directory or file of the daemon's machine.");

const volumes = z
  .array(volume)
  .superRefine((list, context) => {
    const seen = new Set<string>();
    for (const { target: path } of list) {
      if (seen.has(path)) refuse(context, `${path} is mounted on twice`, "each target once");
      seen.add(path);
    }
  })
  .default([]);

const workingDir = text(
  "an absolute path without .., and not in /proc",
  (value) => isPlainPath(value) && normalPath(value).split("/")[1] !== "proc",
).describe("Where the process starts; made if the image does not have it. Default: the image's own.");

const user = z
  .union([z.string(), z.number().transform(String)])
  .superRefine((value, context) => {
    if (value === "image") return;
    try {
      parseUser(value);
    } catch (reason) {
      const [issue] = (reason as { issues?: { message: string; allowed?: string }[] }).issues ?? [];
      refuse(context, issue?.message ?? "is no user", issue?.allowed ?? "uid, uid:gid, name, name:group");
    }
  })
  .describe(
    "Whom the process runs as: uid, uid:gid, name, name:group, or `image` for the image's own. Default 65534:65534.",
  );

const positive = (durationMs: number): boolean => durationMs > 0;

function duration(isValid: (durationMs: number) => boolean = () => true) {
  return z.string().transform((value, context) => {
    const parsed = parseDuration(value);
    return parsed === undefined || !isValid(parsed)
      ? refuse(context, `${JSON.stringify(value.slice(0, 40))} is no duration`, DURATION_FORMAT)
      : parsed;
  });
}

const size = z.union([z.string(), z.number()]).transform((value, context) => {
  const parsed = parseSize(String(value));
  return parsed === undefined || parsed === 0
    ? refuse(context, `${JSON.stringify(value)} is no size`, SIZE_FORMAT)
    : parsed;
});

function milliseconds(least: number) {
  return z.number().superRefine((value, context) => {
    if (Number.isSafeInteger(value) && value >= least) return;
    refuse(context, `${value} is no duration`, `a whole number of milliseconds, ${least} or more`);
  });
}

const tls = z
  .strictObject({ ca: z.string().optional(), cert: z.string().optional(), key: z.string().optional() })
  .describe("PEM files, or their contents, for a daemon that serves TLS.");

const registryAuth = z
  .record(z.string(), z.strictObject({ username: z.string(), password: z.string() }))
  .describe("Credentials by registry host.");

/** A step as people write it, in a file. The one source of what is accepted, of its types, and of its JSON Schema. */
export const stepSchema = z.strictObject({
  name,
  image: text("an image reference", (value) => value.trim() !== "" && noNul(value)).describe(
    "The image to run in.",
  ),
  run: text("a script without NUL", (value) => value !== "" && noNul(value))
    .optional()
    .describe("A script for /bin/sh -c."),
  command: z.array(argument).min(1).optional().describe("The program and its arguments, instead of `run`."),
  args: z
    .array(argument)
    .optional()
    .describe("Arguments, instead of the image's own; behind `command`, or else the image's entrypoint."),
  env: env.default({}),
  volumes,
  working_dir: workingDir.optional(),
  user: user.optional(),
  network: z
    .enum(["none", "host"])
    .default("none")
    .describe("`none`: loopback alone. `host`: the network of the daemon's machine."),
  memory: size.optional().describe("Limit of memory: 512m. Beyond it the kernel kills."),
  cpu: z.number().min(0.01).max(8192).optional().describe("Limit of CPU time, in CPUs: 0.5."),
  pull: z
    .enum(["always", "if-not-present", "never"])
    .default("if-not-present")
    .describe("When to pull the image."),
  containerd_addr: text("an address", (value) => value !== "" && noNul(value))
    .optional()
    .describe("The daemon: /path, unix://, tcp://, http://, https://."),
  tls: tls.optional(),
  registry_auth: registryAuth.optional(),
  timeout: duration(positive).optional().describe("Limit of time: 30s, 5m."),
  timeout_ms: milliseconds(1).optional().describe("The same in milliseconds, instead of `timeout`."),
  stop_grace: duration().optional().describe("Between the stop signal and SIGKILL. Default 10s."),
  stop_grace_ms: milliseconds(0).optional().describe("The same in milliseconds, instead of `stop_grace`."),
  labels: z.record(z.string(), z.string()).default({}).describe("Labels on the container."),
});

export type StepFile = z.output<typeof stepSchema>;
