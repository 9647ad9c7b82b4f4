import * as z from "zod";
import { parseSize, SIZE_FORMAT } from "../units/size.js";
import { integer, quote, refuseField, size, withPattern } from "./field.js";
import { target } from "./mount-target.js";

/** The highest id that the kernel takes. It reads -1 as "no change". */
const MAX_ID = 2 ** 32 - 2;

const tmpfsFields = z.strictObject({
  target: target.meta({ description: "Path in the container." }),
  size: size.optional().meta({ description: "The most that it may hold. Default: half of the memory." }),
  mode: integer(0, 0o7777).optional().meta({ description: "Permission bits. Default: 0o1777." }),
  uid: integer(0, MAX_ID).optional().meta({ description: "Owner. Default: 0." }),
  gid: integer(0, MAX_ID).optional().meta({ description: "Group. Default: 0." }),
  readonly: z.boolean().optional().meta({ description: "Whether the step may not write to it." }),
  noexec: z
    .boolean()
    .optional()
    .meta({ description: "Whether programs in it cannot be run. Default: true." }),
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

/** A directory in memory: a path with docker's options, or fields. */
export const tmpfs = z.union([
  tmpfsFields,
  withPattern(z.string(), /^\/+[^/]/)
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
