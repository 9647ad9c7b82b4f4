import * as z from "zod";
import { parseShell } from "../plan/script.js";
import { isPlainPath, normalPath } from "../units/path.js";
import { parseGroupAdd, parseUser } from "../user/user.js";
import { declare } from "./declaration.js";
import { env } from "./env.js";
import { noNul, parsedBy, quote, refuseField, text } from "./field.js";

const argument = text("text without NUL bytes", noNul);

const workingDir = text(
  "an absolute path without . and .., and not in /proc; example: /work",
  (value) => isPlainPath(value) && normalPath(value).split("/")[1] !== "proc",
  /^\//,
);

const user = z.union([z.string(), z.number().transform(String)]).superRefine((value, context) => {
  if (value !== "image") parsedBy(context, value, (given) => parseUser(given));
});

const shell = z.union([z.string(), z.array(z.string())]).transform((value, context) => {
  const argv = parseShell(value);
  return argv === undefined
    ? refuseField(
        context,
        `${quote(value)} is not a shell`,
        "sh, bash; a program, or a command without quotes, in which {0} is the script's file; or such a command as a list; example: python3 -u {0}",
      )
    : argv;
});

const groupAdd = z.array(
  z.union([z.string(), z.number()]).transform((value, context) => parsedBy(context, value, parseGroupAdd)),
);

/** Which program runs, and as whom. */
export const processFields = {
  name: declare(
    text(
      "1 to 64 letters, digits, dots, dashes and underscores, a letter or digit first",
      /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    ),
    {
      summary: "Name of the step in results, in labels and in the data for later steps",
      examples: ["build"],
      flag: { usage: "--name <name>", help: "name of the step", default: "run" },
    },
  ),
  image: declare(
    text("an image reference", (value) => value.trim() !== "" && noNul(value), /\S/),
    {
      summary: "Image to run in",
      examples: ["alpine:3.20"],
      policy: ["registries"],
      flag: "image",
    },
  ),
  run: declare(
    text("a script without NUL bytes", (value) => value !== "" && noNul(value), /[\s\S]/).optional(),
    {
      summary: "A script",
      details: "It ends at the first command that fails, unless it says `set +e`.",
      examples: ["npm ci && npm test"],
    },
  ),
  shell: declare(shell.optional(), {
    summary: "Program that runs the script of `run`",
    details:
      "`sh`, `bash` (with -e -o pipefail), or a command in which `{0}` stands for the script's file; also as a list.",
    default: "the script's own `#!` line, else `/bin/sh -e`",
    examples: ["bash", "python3 -u {0}"],
  }),
  command: declare(z.array(argument).min(1).optional(), {
    summary: "Program and its arguments, instead of `run`",
    details: 'It replaces the image\'s entrypoint. `[""]` removes the entrypoint, as in docker.',
    default: "the image's own",
    examples: [["node", "main.js"]],
    flag: { usage: "--entrypoint <program>", help: "program to run instead of the image's own" },
  }),
  args: declare(z.array(argument).optional(), {
    summary: "Arguments of `command`, or else of the image's entrypoint",
    default: "the image's own",
    examples: [["--verbose"]],
    flag: "command",
  }),
  env: declare(env.default({}), {
    summary: "Environment variables: a map, or a list of `NAME=value`",
    details:
      "In a program a number or boolean becomes `String(value)`, so `1.10` becomes `1.1`: give a string. In a file, values are texts as written.",
    examples: [{ NODE_ENV: "test" }, ["NODE_ENV=test"]],
    flag: {
      usage: "-e, --env <NAME=value>",
      help: "environment variable; NAME alone passes yours on",
      repeatable: true,
    },
  }),
  working_dir: declare(workingDir.optional(), {
    summary: "Directory in which the process starts",
    details:
      "If it is missing, it is created and belongs to the step's user. It belongs to root if it is in a volume or cache, or if the step has volumes and the daemon is remote.",
    default: "the image's own, else `/`",
    examples: ["/work"],
    flag: { usage: "-w, --workdir <path>" },
  }),
  user: declare(user.optional(), {
    summary: "User of the process: uid, uid:gid, name, name:group, or `image` for the image's own",
    default: "65534:65534",
    examples: ["1000:1000", "image"],
    policy: ["imageUser"],
    flag: { usage: "-u, --user <user>" },
  }),
  group_add: declare(groupAdd.default([]), {
    summary: "Additional groups: gids, or names of groups in the image",
    examples: [["docker", 4]],
    flag: { usage: "--group-add <group>", help: "additional group, a gid or a name", repeatable: true },
  }),
  init: declare(z.boolean().default(false), {
    summary: "Run a small program as process 1, which reaps orphaned processes and passes signals on",
    flag: { usage: "--init" },
  }),
};
