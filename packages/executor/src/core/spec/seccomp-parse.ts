import { refuse, requireThat } from "../refuse.js";
import { parseCapabilities } from "./capabilities.js";
import type { SeccompCondition, SeccompProfile, SeccompRule } from "./seccomp.js";
import type { SeccompArgument } from "./spec.js";

/** An object that has only known keys. Each key may be missing. */
type Fields<K extends string> = Readonly<Partial<Record<K, unknown>>>;

/** Without `SCMP_ACT_NOTIFY`, which hands calls to a program on the daemon's machine. */
const ACTIONS: readonly string[] = [
  "SCMP_ACT_KILL",
  "SCMP_ACT_KILL_PROCESS",
  "SCMP_ACT_KILL_THREAD",
  "SCMP_ACT_TRAP",
  "SCMP_ACT_ERRNO",
  "SCMP_ACT_TRACE",
  "SCMP_ACT_ALLOW",
  "SCMP_ACT_LOG",
];

const OPERATORS: readonly string[] = [
  "SCMP_CMP_NE",
  "SCMP_CMP_LT",
  "SCMP_CMP_LE",
  "SCMP_CMP_EQ",
  "SCMP_CMP_GE",
  "SCMP_CMP_GT",
  "SCMP_CMP_MASKED_EQ",
];

/** Architectures as image platforms name them, by the names that filters use. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  SCMP_ARCH_X86_64: "amd64",
  SCMP_ARCH_X86: "386",
  SCMP_ARCH_AARCH64: "arm64",
  SCMP_ARCH_ARM: "arm",
  SCMP_ARCH_PPC64LE: "ppc64le",
  SCMP_ARCH_S390X: "s390x",
  SCMP_ARCH_RISCV64: "riscv64",
  SCMP_ARCH_LOONGARCH64: "loong64",
  SCMP_ARCH_MIPS64: "mips64",
  SCMP_ARCH_MIPSEL64: "mips64le",
};

/** Architecture names in docker's conditions that differ from those of image platforms. */
const DOCKER_ARCHITECTURES: ReadonlyMap<string, string> = new Map([
  ["x86", "386"],
  ["loongarch64", "loong64"],
  ["mipsel64", "mips64le"],
]);

/** The most entries of a profile: its rules and the names in them, counted together. */
const MAX_ENTRIES = 10_000;

/**
 * Reads a seccomp profile in the file format of docker and podman, from parsed JSON.
 *
 * It takes `archMap` or plain `architectures`, `name` and `names`, and the conditions `includes` and
 * `excludes`. Unknown keys are refused: an ignored condition would allow what it was meant to stop.
 *
 * @throws ExecutorError `refused`, naming the place in the profile.
 */
export function parseSeccompProfile(input: unknown): SeccompProfile {
  const profile = toFields(input, "seccomp", [
    "defaultAction",
    "defaultErrnoRet",
    "defaultErrno",
    "archMap",
    "architectures",
    "syscalls",
    "comment",
  ]);
  const rules = toList(profile.syscalls ?? [], "seccomp.syscalls").map((rule, index) =>
    parseRule(rule, `seccomp.syscalls[${index}]`),
  );
  const entries = rules.reduce((sum, { syscalls }) => sum + syscalls.length, rules.length);
  requireThat(
    entries <= MAX_ENTRIES,
    "seccomp.syscalls",
    `has ${entries} entries`,
    `up to ${MAX_ENTRIES} entries`,
  );
  return {
    defaultAction: toOneOf(profile.defaultAction, "seccomp.defaultAction", ACTIONS),
    ...optionalErrno("defaultErrno", profile.defaultErrnoRet, "seccomp.defaultErrnoRet"),
    architectures: parseArchitectures(profile),
    rules,
  };
}

function parseArchitectures(profile: Fields<"architectures" | "archMap">): Record<string, string[]> {
  const plain = toNames(profile.architectures ?? [], "seccomp.architectures");
  const mapped = toList(profile.archMap ?? [], "seccomp.archMap");
  requireThat(
    plain.length === 0 || mapped.length === 0,
    "seccomp",
    "has both architectures and archMap",
    "one of architectures and archMap",
  );
  // A plain list applies on every architecture.
  if (plain.length > 0) return Object.fromEntries(Object.values(ARCHITECTURES).map((name) => [name, plain]));
  return Object.fromEntries(
    mapped.flatMap((entry, index) => {
      const place = `seccomp.archMap[${index}]`;
      const fields = toFields(entry, place, ["architecture", "subArchitectures"]);
      const main = toText(fields.architecture, `${place}.architecture`);
      const sub = toNames(fields.subArchitectures ?? [], `${place}.subArchitectures`);
      const name = Object.hasOwn(ARCHITECTURES, main) ? ARCHITECTURES[main] : undefined;
      return name === undefined ? [] : [[name, [main, ...sub]]];
    }),
  );
}

function parseRule(input: unknown, place: string): SeccompRule {
  const rule = toFields(input, place, [
    "name",
    "names",
    "action",
    "errnoRet",
    "errno",
    "args",
    "includes",
    "excludes",
    "comment",
  ]);
  const single = rule.name === undefined ? [] : [toText(rule.name, `${place}.name`)];
  const syscalls = [...single, ...toNames(rule.names ?? [], `${place}.names`)];
  requireThat(
    syscalls.length > 0,
    place,
    "does not name a system call",
    "one or more names in name or names; example: mkdir",
  );
  const args = toList(rule.args ?? [], `${place}.args`).map((arg, index) =>
    parseArgument(arg, `${place}.args[${index}]`),
  );
  return {
    syscalls,
    action: toOneOf(rule.action, `${place}.action`, ACTIONS),
    ...optionalErrno("errno", rule.errnoRet, `${place}.errnoRet`),
    args,
    when: parseCondition(rule.includes ?? {}, `${place}.includes`),
    unless: parseCondition(rule.excludes ?? {}, `${place}.excludes`),
  };
}

function parseArgument(input: unknown, place: string): SeccompArgument {
  const arg = toFields(input, place, ["index", "value", "valueTwo", "op"]);
  return {
    index: toInteger(arg.index, `${place}.index`, 5),
    value: toInteger(arg.value, `${place}.value`),
    valueTwo: toInteger(arg.valueTwo ?? 0, `${place}.valueTwo`),
    op: toOneOf(arg.op, `${place}.op`, OPERATORS),
  };
}

function parseCondition(input: unknown, place: string): SeccompCondition {
  const { caps, arches, minKernel } = toFields(input, place, ["caps", "arches", "minKernel"]);
  return {
    ...(caps === undefined
      ? {}
      : { capabilities: parseCapabilities(toNames(caps, `${place}.caps`), `${place}.caps`) }),
    ...(arches === undefined
      ? {}
      : {
          architectures: toNames(arches, `${place}.arches`).map(
            (name) => DOCKER_ARCHITECTURES.get(name) ?? name,
          ),
        }),
    ...(minKernel === undefined ? {} : { kernel: parseKernel(minKernel, `${place}.minKernel`) }),
  };
}

function parseKernel(input: unknown, place: string): [number, number] {
  const match = /^(\d{1,4})\.(\d{1,4})$/.exec(toText(input, place));
  if (match === null) return refuse(place, "is not a version", 'two numbers; example: "4.8"');
  return [Number(match[1]), Number(match[2])];
}

function toFields<K extends string>(input: unknown, place: string, known: readonly K[]): Fields<K> {
  if (typeof input !== "object" || input === null || Array.isArray(input))
    return refuse(place, "is not an object", "an object");
  const unknown = Object.keys(input).find((key) => !(known as readonly string[]).includes(key));
  requireThat(
    unknown === undefined,
    place,
    `has the unknown key ${JSON.stringify(unknown)}`,
    known.join(", "),
  );
  return input as Fields<K>;
}

function toList(input: unknown, place: string): unknown[] {
  return Array.isArray(input) ? input : refuse(place, "is not a list", "a list");
}

function toText(input: unknown, place: string): string {
  const isText = typeof input === "string" && /^[\w.]{1,64}$/.test(input);
  return isText ? input : refuse(place, "is not a name", "text of up to 64 letters, digits, _ and .");
}

function toNames(input: unknown, place: string): string[] {
  return toList(input, place).map((name) => toText(name, place));
}

function toOneOf(input: unknown, place: string, allowed: readonly string[]): string {
  const text = toText(input, place);
  return allowed.includes(text) ? text : refuse(place, `${text} is unknown`, allowed.join(", "));
}

function toInteger(input: unknown, place: string, maximum = Number.MAX_SAFE_INTEGER): number {
  const isInRange = Number.isSafeInteger(input) && (input as number) >= 0 && (input as number) <= maximum;
  return isInRange
    ? (input as number)
    : refuse(place, "is not a number in range", `a whole number from 0 to ${maximum}`);
}

function optionalErrno<K extends string>(key: K, input: unknown, place: string): { [P in K]?: number } {
  return (input === undefined ? {} : { [key]: toInteger(input, place, 4095) }) as { [P in K]?: number };
}
