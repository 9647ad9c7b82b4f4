import type { SecretValues, StepInput } from "@wfe-containerd/executor";
import { Option } from "commander";
import { UsageError } from "./failure.js";
import { readNamedFile } from "./read-file.js";
import { collect } from "./transfer.js";

const ALLOWED =
  "id=NAME with src=FILE or env=VARIABLE; for run also target=PATH, mask=false; example: id=token,src=./token.txt";

/** A parsed `--secret`: the secret's name, where its value is, and how the step gets it. */
export interface SecretFlag {
  readonly name: string;
  readonly file?: string;
  readonly variable?: string;
  readonly target?: string;
  readonly mask?: boolean;
}

/**
 * Parses `id=NAME,src=FILE` and `id=NAME,env=VARIABLE`, the form of `docker build --secret`.
 *
 * @throws UsageError whose message shows no text after an `=`.
 */
export function parseSecret(text: string): SecretFlag {
  const given: { name?: string; file?: string; variable?: string; target?: string; mask?: boolean } = {};
  for (const part of text.split(",")) {
    const [, key, value = ""] = /^([a-z]+)=(.+)$/s.exec(part) ?? [];
    if (key === "id") given.name = value;
    else if (key === "src" || key === "source") given.file = value;
    else if (key === "env") given.variable = value;
    else if (key === "target" || key === "dst") given.target = value;
    else if (key === "mask" && (value === "true" || value === "false")) given.mask = value === "true";
    else
      throw new UsageError(
        `--secret: ${key === undefined ? "a part is not key=value" : `${key} is an unknown key`}; allowed: ${ALLOWED}`,
      );
  }
  const { name, file, variable, ...others } = given;
  if (name === undefined || (file === undefined) === (variable === undefined))
    throw new UsageError(
      `--secret: ${name === undefined ? "id is missing" : file === undefined ? "src and env are both missing" : "src and env are both given"}; allowed: ${ALLOWED}`,
    );
  return { name, ...(file === undefined ? { variable } : { file }), ...others } as SecretFlag;
}

/** The flag of commands that show the output of a step which has secrets. */
export function secretFlag(): Option {
  return new Option(
    "--secret <id=name,src=file>",
    "a secret of the step, so that it is masked in the output; or id=NAME,env=VARIABLE",
  ).argParser(collect);
}

/**
 * Reads the secrets' values from files and environment variables.
 *
 * @throws UsageError when a value is missing.
 */
export async function readSecrets(flags: readonly SecretFlag[]): Promise<SecretValues> {
  const values: Record<string, string | Uint8Array> = {};
  for (const { name, file, variable } of flags) {
    if (Object.hasOwn(values, name))
      throw new UsageError(`--secret: ${name} is given twice; allowed: each id once`);
    const value =
      file === undefined ? process.env[variable ?? ""] : await readNamedFile(`--secret: ${name}`, file);
    if (value === undefined)
      throw new UsageError(
        `--secret: ${name}: the variable ${variable} is not set in the environment; allowed: env=VARIABLE with a variable that is exported`,
      );
    values[name] = value;
  }
  return values;
}

/** For `run`, the step asks for every secret that is given. */
export function toRequests(flags: readonly SecretFlag[]): NonNullable<StepInput["secrets"]> {
  return flags.map(({ name, target, mask }) => ({
    name,
    ...(target !== undefined && { target }),
    ...(mask !== undefined && { mask }),
  }));
}
