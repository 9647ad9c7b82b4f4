import * as z from "zod";
import { isPlainPath, normalPath } from "../units/path.js";
import { declare } from "./declaration.js";
import { quote, refuseField, size, withPattern } from "./field.js";
import { target } from "./mount-target.js";
import { secret } from "./secret-request.js";
import { tmpfs } from "./tmpfs.js";

/** A name that is safe as one part of a path and of a key. */
export const VOLUME_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;
export const NAME_FORMAT = "1 to 63 letters, digits, dots, dashes and underscores, a letter or digit first";

const name = withPattern(
  z.string().superRefine((value, context) => {
    if (!VOLUME_NAME.test(value))
      refuseField(context, `${quote(value)} is not the name of a volume`, NAME_FORMAT);
  }),
  VOLUME_NAME,
);

const source = withPattern(z.string(), /^(\/|[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$)/).transform(
  (value, context) => {
    if (VOLUME_NAME.test(value)) return value;
    if (isPlainPath(value)) return normalPath(value);
    return refuseField(
      context,
      `${quote(value)} is not a source`,
      `an absolute path on the daemon's machine, without ~, . and .., for example /srv/data; or a volume's name: ${NAME_FORMAT}`,
    );
  },
);

const PROPAGATIONS = ["rprivate", "rslave"] as const;

const volumeFields = z
  .strictObject({
    source: source.meta({ description: "A path on the daemon's machine, or the name of a volume." }),
    target: target.meta({ description: "Path in the container." }),
    readonly: z.boolean().default(false).meta({ description: "Whether the step may not write to it." }),
    propagation: z
      .enum(PROPAGATIONS)
      .optional()
      .meta({ description: "rslave: the step also sees what is mounted below the source later." }),
    noexec: z.boolean().optional().meta({ description: "Whether programs in it cannot be run." }),
  })
  .superRefine((volume, context) => {
    if (volume.source.startsWith("/")) return;
    if (volume.propagation !== undefined)
      refuseField(
        context,
        "propagation cannot be used for a volume with a name",
        "propagation for a path of the daemon's machine",
      );
  });

const VOLUME_OPTIONS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  ro: { readonly: true },
  rw: { readonly: false },
  noexec: { noexec: true },
  rprivate: { propagation: "rprivate" },
  rslave: { propagation: "rslave" },
};

const volume = z.union([
  volumeFields,
  withPattern(z.string(), /^[^:]+:\/[^:]*(:[a-z,]*)?$/)
    .transform((value, context) => {
      const [from, to, options = "", ...more] = value.split(":");
      const names = options === "" ? [] : options.split(",");
      const isKnown = names.every((option) => Object.hasOwn(VOLUME_OPTIONS, option));
      if (from === undefined || to === undefined || more.length > 0 || !isKnown) {
        return refuseField(
          context,
          `${quote(value)} is not a volume`,
          `source:target, or source:target:options with ${Object.keys(VOLUME_OPTIONS).join(", ")}; example: /srv/data:/data:ro`,
        );
      }
      const given = names.map((option) => VOLUME_OPTIONS[option]);
      return Object.assign({ source: from, target: to }, ...given) as z.input<typeof volumeFields>;
    })
    .pipe(volumeFields),
]);

const cacheFields = z.strictObject({
  name: name.meta({ ...name.meta(), description: "Steps that give the same name share the files." }),
  target: target.meta({ description: "Path in the container." }),
});

const cache = z.union([
  cacheFields,
  withPattern(z.string(), /^[^:]+:\/[^:]*$/)
    .transform((value, context) => {
      const [key, path, ...more] = value.split(":");
      return key === undefined || path === undefined || more.length > 0
        ? refuseField(context, `${quote(value)} is not a cache`, "name:target; example: npm:/root/.npm")
        : { name: key, target: path };
    })
    .pipe(cacheFields),
]);

/** The files that the step sees. */
export const filesystemFields = {
  volumes: declare(z.array(volume).default([]), {
    summary: "Directories or files of the daemon's machine, or volumes by name",
    details:
      "Each is `source:target`, `source:target:ro`, or `{ source, target, readonly, propagation, noexec }`. With `propagation: rslave` the step also sees what is mounted below the source later. For this, the source must be on a shared mount. A private mount is refused; with a remote daemon it is not refused, but has no effect.",
    examples: [["/srv/data:/data:ro"], [{ source: "builds", target: "/builds" }]],
    policy: ["mountSources", "volumes"],
    flag: {
      usage: "-v, --volume <source:target[:ro]>",
      help: "directory or file of the daemon's machine, or a volume by name",
      repeatable: true,
    },
  }),
  caches: declare(z.array(cache).default([]), {
    summary: "Directories that are kept between steps, and may be removed when no step uses them",
    details: "Each is `name:target`, or `{ name, target }`.",
    examples: [["npm:/root/.npm"]],
    policy: ["volumes"],
    flag: {
      usage: "--cache <name:target>",
      help: "directory that is kept between runs, and may be removed when no step uses it",
      repeatable: true,
    },
  }),
  tmpfs: declare(z.array(tmpfs).default([]), {
    summary: "Directories in memory, which are gone with the step",
    details:
      "Each is a path, `target:size=64m,mode=1777,uid=1000,exec`, or `{ target, size, mode, uid, gid, readonly, noexec }`. Mode 1777 and noexec, unless you say otherwise.",
    examples: [["/tmp:size=64m"]],
    flag: {
      usage: "--tmpfs <target[:size=64m,mode=1777]>",
      help: "directory in memory",
      repeatable: true,
    },
  }),
  secrets: declare(z.array(secret).default([]), {
    summary: "Secrets by name, each a file that only the step's user can read: /run/secrets/NAME",
    details:
      "Each is a name, or `{ name, target, mask }`. The caller of the executor gives the values. They are masked in the output, unless `mask` is false.",
    examples: [["npm-token"], [{ name: "key", target: "/run/keys/key.pem" }]],
    flag: "--secret",
  }),
  read_only: declare(z.boolean().default(false), {
    summary: "Make the root file system read-only",
    flag: { usage: "--read-only" },
  }),
  shm_size: declare(size.optional(), {
    summary: "Size of `/dev/shm`",
    default: "64m",
    examples: ["256m"],
    flag: { usage: "--shm-size <size>" },
  }),
};
