import { z } from "zod";
import { isReservedTarget, RESERVED_DIRECTORIES } from "../policy/reserved-paths.js";
import { isPlainPath, normalPath } from "../units/path.js";
import { parseSize, SIZE_FORMAT } from "../units/size.js";
import { integer, quote, refuseField, size } from "./field.js";

/** A path in the container on which a step may mount something. */
const target = z.string().transform((value, context) => {
  const path = normalPath(value);
  if (!isPlainPath(value) || path === "/" || isReservedTarget(path)) {
    return refuseField(
      context,
      `${quote(value)} cannot be mounted on`,
      `an absolute path without . and .., not / and not in ${RESERVED_DIRECTORIES.join(", ")}; example: /data`,
    );
  }
  return path;
});

/** A name that is safe as one part of a path and of a key. */
const VOLUME_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;
const NAME_FORMAT = "1 to 63 letters, digits, dots, dashes and underscores, a letter or digit first";

const name = z.string().superRefine((value, context) => {
  if (!VOLUME_NAME.test(value))
    refuseField(context, `${quote(value)} is not a name of a volume`, NAME_FORMAT);
});

const source = z.string().transform((value, context) => {
  if (VOLUME_NAME.test(value)) return value;
  if (isPlainPath(value)) return normalPath(value);
  return refuseField(
    context,
    `${quote(value)} is not a source`,
    `an absolute path on the daemon's machine, without ~, . and .., for example /srv/data; or a volume's name: ${NAME_FORMAT}`,
  );
});

const PROPAGATIONS = ["rprivate", "rslave"] as const;

const volumeFields = z
  .strictObject({
    source,
    target,
    readonly: z.boolean().default(false),
    propagation: z.enum(PROPAGATIONS).optional(),
    noexec: z.boolean().optional(),
  })
  .superRefine((volume, context) => {
    if (volume.source.startsWith("/")) return;
    if (volume.propagation !== undefined)
      refuseField(
        context,
        "propagation has no meaning for a volume with a name",
        "propagation with a path of the daemon's machine",
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
  z
    .string()
    .transform((value, context) => {
      const [from, to, options = "", ...more] = value.split(":");
      const names = options === "" ? [] : options.split(",");
      const isKnown = names.every((option) => Object.hasOwn(VOLUME_OPTIONS, option));
      if (from === undefined || to === undefined || more.length > 0 || !isKnown) {
        return refuseField(
          context,
          `${quote(value)} is not a volume`,
          `source:target, or source:target:ro; options: ${Object.keys(VOLUME_OPTIONS).join(", ")}`,
        );
      }
      const given = names.map((option) => VOLUME_OPTIONS[option]);
      return Object.assign({ source: from, target: to }, ...given) as z.input<typeof volumeFields>;
    })
    .pipe(volumeFields),
]);

export const volumes = z
  .array(volume)
  .default([])
  .describe(
    "Directories or files of the daemon's machine, or volumes by name: source:target, source:target:ro.",
  );

const cacheFields = z.strictObject({ name, target });

export const caches = z
  .array(
    z.union([
      cacheFields,
      z
        .string()
        .transform((value, context) => {
          const [key, path, ...more] = value.split(":");
          return key === undefined || path === undefined || more.length > 0
            ? refuseField(context, `${quote(value)} is not a cache`, "name:target; example: npm:/root/.npm")
            : { name: key, target: path };
        })
        .pipe(cacheFields),
    ]),
  )
  .default([])
  .describe("Directories kept from one step to the next, which may be dropped between them: name:target.");

/** The highest id that the kernel takes. It reads -1 as "no change". */
const MAX_ID = 2 ** 32 - 2;

const tmpfsFields = z.strictObject({
  target,
  size: size.optional(),
  mode: integer(0, 0o7777).optional().describe("Permission bits. Default 0o1777."),
  uid: integer(0, MAX_ID).optional().describe("Owner. Default 0."),
  gid: integer(0, MAX_ID).optional().describe("Group. Default 0."),
  readonly: z.boolean().optional(),
  noexec: z.boolean().optional().describe("Programs in it cannot be run. Default true."),
});

type TmpfsFields = z.input<typeof tmpfsFields>;

const TMPFS_FLAGS: Readonly<Record<string, Partial<TmpfsFields>>> = {
  ro: { readonly: true },
  rw: { readonly: false },
  noexec: { noexec: true },
  exec: { noexec: false },
  // Every tmpfs of a step has these anyway.
  nosuid: {},
  nodev: {},
};

/** Reads one option of docker's `--tmpfs`; undefined for any other option. */
function parseTmpfsOption(option: string): Partial<TmpfsFields> | undefined {
  const [key = "", value] = option.split(/=(.*)/s, 2);
  if (value === undefined) return Object.hasOwn(TMPFS_FLAGS, key) ? TMPFS_FLAGS[key] : undefined;
  if (key === "size" && parseSize(value) !== undefined) return { size: value };
  if (key === "mode" && /^0?[0-7]{1,4}$/.test(value)) return { mode: Number.parseInt(value, 8) };
  if ((key === "uid" || key === "gid") && /^\d{1,10}$/.test(value)) return { [key]: Number(value) };
  return undefined;
}

const tmpfsMount = z.union([
  tmpfsFields,
  z
    .string()
    .transform((value, context) => {
      const at = value.indexOf(":");
      const fields: TmpfsFields = { target: at === -1 ? value : value.slice(0, at) };
      for (const option of at === -1 ? [] : value.slice(at + 1).split(",")) {
        const given = option === "" ? {} : parseTmpfsOption(option);
        if (given === undefined)
          return refuseField(
            context,
            `the tmpfs option ${quote(option)} is unknown or has an invalid value`,
            `size=${SIZE_FORMAT}; mode, in octal; uid, gid; ro, rw, exec, noexec; example: /tmp:size=64m,mode=1777`,
          );
        Object.assign(fields, given);
      }
      return fields;
    })
    .pipe(tmpfsFields),
]);

export const tmpfs = z
  .array(tmpfsMount)
  .default([])
  .describe("Directories in memory, gone with the step: target, or target:size=64m,mode=1777,uid=1000.");

const SECRET_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;

const secretFields = z
  .strictObject({
    name: z.string().superRefine((value, context) => {
      if (!SECRET_NAME.test(value))
        refuseField(
          context,
          `${quote(value)} is not a name of a secret`,
          "1 to 64 letters, digits, dots, dashes and underscores, no dot or dash first",
        );
    }),
    target: target.optional(),
    mask: z.boolean().default(true),
  })
  .transform((secret) => ({ ...secret, target: secret.target ?? `/run/secrets/${secret.name}` }));

export const secrets = z
  .array(
    z.union([
      secretFields,
      z
        .string()
        .transform((value) => ({ name: value }))
        .pipe(secretFields),
    ]),
  )
  .default([])
  .describe(
    "Secrets by name, each a file that only the step's user can read: /run/secrets/NAME, or target. Their values are given to the executor, and masked in the output unless mask is false.",
  );
