import { ExecutorError } from "../../error.js";
import { parseCapabilities } from "../spec/capabilities.js";
import { DEFAULT_CAPABILITIES } from "../spec/capability-names.js";
import { deviceNumbers, numbersOf, type StepDevice } from "../spec/devices.js";
import type { ResourceLimits } from "../spec/resources.js";
import { exceededBy, type Ulimit } from "../spec/rlimits.js";
import type { FieldName, PolicyKeyOf } from "../step/schema.js";
import { isWorkspace } from "../step/volume.js";
import { toSnakeCase } from "../units/name-case.js";
import { checkMountSource } from "./mount-source.js";
import type { Policy } from "./policy.js";

/** The fields of a step that a policy checks. A missing field asks for nothing. */
export interface PolicySubject {
  readonly privileged?: boolean | undefined;
  readonly network?: string | undefined;
  readonly volumes?: readonly { readonly source: string; readonly index?: number | undefined }[] | undefined;
  readonly namedVolumes?: readonly { readonly name: string }[] | undefined;
  readonly caches?: readonly { readonly name: string }[] | undefined;
  readonly capAdd?: readonly string[] | undefined;
  readonly seccomp?: "default" | "unconfined" | object | undefined;
  readonly apparmorProfile?: string | undefined;
  readonly noNewPrivileges?: boolean | undefined;
  readonly devices?: readonly StepDevice[] | undefined;
  readonly sysctls?: Readonly<Record<string, string>> | undefined;
  /** Host of the image's registry, with its port if it has one. */
  readonly registry?: string | undefined;
  readonly user?: string | undefined;
  readonly containerdAddr?: string | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly oomScoreAdj?: number | undefined;
  readonly ulimits?: Readonly<Record<string, Ulimit>> | undefined;
  readonly stopGraceMs?: number | undefined;
  readonly timeoutMs?: number | undefined;
  readonly retry?: { readonly attempts: number } | undefined;
  readonly resources?: ResourceLimits | undefined;
}

/** Something that a step asks for and may not have. */
export interface Refusal {
  /** The field, as a step file names it. */
  readonly field: string;
  /** Describes what the step asked for. */
  readonly message: string;
  /** The policy key that could allow it, as a policy file writes it; `undefined` if no key could. */
  readonly policyKey: string | undefined;
  /** Says what would be allowed, if that is not a matter of policy. */
  readonly allowed?: string | undefined;
}

export interface PolicyContext {
  /**
   * Host paths that no mount may reach, besides the built-in ones: those of the daemon and of the executor.
   */
  readonly forbiddenSources?: readonly string[] | undefined;
}

/**
 * Returns everything that a policy refuses of a step, in the order of the step's fields; empty if it may run.
 */
export function checkPolicy(step: PolicySubject, policy: Policy, context: PolicyContext = {}): Refusal[] {
  return [
    ...checkPrivileges(step, policy),
    ...checkVolumes(step, policy, context),
    ...checkNamedVolumes(step, policy),
    ...checkConfinement(step, policy),
    ...checkOrigin(step, policy),
    ...checkLimits(step, policy),
  ];
}

/** Gives a step without a limit of memory or time the policy's limit. */
export function limitStep<T extends Pick<PolicySubject, "timeoutMs" | "resources">>(
  step: T,
  { maximumMemoryBytes, maximumTimeoutMs }: Policy,
): T {
  const orNone = (maximum: number) => (maximum === -1 ? undefined : maximum);
  const memoryBytes = step.resources?.memoryBytes ?? orNone(maximumMemoryBytes);
  const timeoutMs = step.timeoutMs ?? orNone(maximumTimeoutMs);
  return { ...step, timeoutMs, resources: { ...step.resources, memoryBytes } };
}

/**
 * Refuses a step that the policy does not allow.
 *
 * @throws ExecutorError `refused`: one error, with everything that {@link checkPolicy} finds.
 */
export function enforcePolicy(step: PolicySubject, policy: Policy, context?: PolicyContext): void {
  refuseAll(checkPolicy(step, policy, context));
}

/**
 * Throws if the list has any refusal.
 *
 * @throws ExecutorError `refused`: one error, with all of them.
 */
export function refuseAll(refusals: readonly Refusal[]): void {
  if (refusals.length === 0) return;
  const issues = refusals.map(({ field, message, policyKey, allowed }) => ({
    field,
    message,
    allowed: allowed ?? (policyKey === undefined ? "by no policy" : `by the policy's ${policyKey}`),
  }));
  const lines = issues.map(({ field, message, allowed }) => `${field}: ${message}; allowed: ${allowed}`);
  const isPolicy = refusals.some(({ allowed }) => allowed === undefined);
  const head = isPolicy ? "the policy refuses the step" : "the step is refused";
  throw new ExecutorError(`${head}: ${lines.join("; ")}`, { kind: "refused", issues });
}

/**
 * @param key one of the keys that the field's declaration names
 * @param below the part of the field, such as `.nofile`
 */
function refusal<F extends FieldName>(
  field: F,
  message: string,
  key: NoInfer<PolicyKeyOf<F>>,
  below = "",
): Refusal {
  return { field: `${field}${below}`, message, policyKey: toSnakeCase(key) };
}

function* checkPrivileges(step: PolicySubject, policy: Policy): Iterable<Refusal> {
  if (step.privileged === true && !policy.privileged) {
    yield refusal("privileged", "a privileged step can control the daemon's machine", "privileged");
  }
  if (step.network === "host" && !policy.hostNetwork) {
    yield refusal("network", "host gives the step the network of the daemon's machine", "hostNetwork");
  }
  if (step.network === "bridge" && !policy.bridgeNetwork) {
    yield refusal(
      "network",
      "bridge lets the step reach the daemon's machine, and what that machine can reach",
      "bridgeNetwork",
    );
  }
  for (const name of parseCapabilities(step.capAdd ?? [], "cap_add")) {
    // Any step may run as root, and root has these.
    if (DEFAULT_CAPABILITIES.includes(name)) continue;
    if (policy.capabilities.includes(name) || policy.capabilities.includes("ALL")) continue;
    yield refusal(
      "cap_add",
      `${name} is not one of the capabilities that root has by default`,
      "capabilities",
    );
  }
}

function* checkVolumes(step: PolicySubject, policy: Policy, context: PolicyContext): Iterable<Refusal> {
  const rules = { allowed: policy.mountSources, forbidden: context.forbiddenSources };
  for (const [at, { source, index = at }] of (step.volumes ?? []).entries()) {
    const found = checkMountSource(source, rules);
    if (found === undefined) continue;
    const { reason, isAllowable } = found;
    const refused = refusal(
      "volumes",
      `${JSON.stringify(source)} ${reason}`,
      "mountSources",
      `[${index}].source`,
    );
    yield isAllowable ? refused : { ...refused, policyKey: undefined };
  }
}

function* checkNamedVolumes(step: PolicySubject, policy: Policy): Iterable<Refusal> {
  for (const field of ["namedVolumes", "caches"] as const) {
    for (const { name } of step[field] ?? []) {
      // Only who opened a workspace knows its name, and gives it to steps.
      if (field === "namedVolumes" && isWorkspace(name)) continue;
      if (allows(policy.volumes, name)) continue;
      const written = field === "caches" ? field : "volumes";
      yield refusal(written, `${JSON.stringify(name)} is shared with other steps`, "volumes");
    }
  }
}

function* checkConfinement(step: PolicySubject, policy: Policy): Iterable<Refusal> {
  const { seccomp = "default", apparmorProfile, devices = [], sysctls = {}, annotations = {} } = step;
  if (seccomp !== "default" && !policy.seccomp.includes(seccomp === "unconfined" ? seccomp : "profile")) {
    yield refusal(
      "seccomp",
      seccomp === "unconfined"
        ? "unconfined removes the filter of system calls"
        : "a profile of the step's own replaces the default profile",
      "seccomp",
    );
  }
  if (apparmorProfile !== undefined && !allows(policy.apparmorProfiles, apparmorProfile)) {
    yield refusal(
      "apparmor_profile",
      `${JSON.stringify(apparmorProfile)} is not in the policy's list`,
      "apparmorProfiles",
    );
  }
  if (step.noNewPrivileges === false && !policy.newPrivileges) {
    yield refusal("no_new_privileges", "false lets set-uid programs gain privileges", "newPrivileges");
  }
  for (const device of devices) {
    // Compare the numbers: the step chooses the path in the container.
    const numbers = numbersOf(device);
    const isAllowed =
      policy.devices === "any" ||
      policy.devices.some((entry) => entry === numbers || deviceNumbers(entry) === numbers);
    if (!isAllowed)
      yield refusal("devices", `${device.path} (${numbers}) is not in the policy's list`, "devices");
  }
  for (const name of Object.keys(sysctls)) {
    const isAllowed = policy.sysctls === "any" || policy.sysctls.some((pattern) => matches(name, pattern));
    if (!isAllowed) yield refusal("sysctls", `${name} is not in the policy's list`, "sysctls");
  }
  for (const key of Object.keys(annotations)) {
    if (!allows(policy.annotations, key))
      yield refusal("annotations", `${JSON.stringify(key)} is not in the policy's list`, "annotations");
  }
}

function* checkOrigin(step: PolicySubject, policy: Policy): Iterable<Refusal> {
  const { registry, user, containerdAddr } = step;
  if (containerdAddr !== undefined && !allows(policy.addresses, containerdAddr)) {
    yield refusal(
      "containerd_addr",
      `${JSON.stringify(containerdAddr)} is not in the policy's list of daemons`,
      "addresses",
    );
  }
  if (registry !== undefined && !allows(policy.registries, registry)) {
    yield refusal(
      "image",
      `the registry ${JSON.stringify(registry)} is not in the policy's list`,
      "registries",
    );
  }
  if (user === "image" && !policy.imageUser) {
    yield refusal("user", "image lets the image choose the user", "imageUser");
  }
}

function* checkLimits(step: PolicySubject, policy: Policy): Iterable<Refusal> {
  const { oomScoreAdj = 0, ulimits = {}, stopGraceMs = 0, timeoutMs = 0, resources = {} } = step;
  const { attempts = 1 } = step.retry ?? {};
  if (oomScoreAdj < policy.minimumOomScoreAdj) {
    yield refusal(
      "oom_score_adj",
      `${oomScoreAdj} is below ${policy.minimumOomScoreAdj}, so the kernel would kill other processes first`,
      "minimumOomScoreAdj",
    );
  }
  for (const [name, ulimit] of Object.entries(ulimits)) {
    const most = exceededBy(name, ulimit);
    if (most === undefined || allows(policy.ulimits, name)) continue;
    yield refusal(
      "ulimits",
      `the hard limit ${ulimit.hard} is above ${most}, and could take resources from other processes`,
      "ulimits",
      `.${name}`,
    );
  }
  const { memoryBytes = 0, memorySwapBytes = 0, pidsLimit = 0 } = resources;
  const highest = [
    ["pids_limit", pidsLimit, "maximumPids"],
    ["memory", memoryBytes, "maximumMemoryBytes"],
    ["memory_swap", memorySwapBytes, "maximumMemoryBytes"],
    ["timeout", timeoutMs, "maximumTimeoutMs"],
    ["stop_grace", stopGraceMs, "maximumStopGraceMs"],
    ["retry", attempts, "maximumAttempts"],
  ] as const;
  for (const [field, asked, key] of highest) {
    if (policy[key] !== -1 && (asked === -1 || asked > policy[key]))
      yield refusal(field, `${asked} is above ${policy[key]}`, key);
  }
}

function allows(list: readonly string[] | "any", item: string): boolean {
  return list === "any" || list.includes(item);
}

function matches(name: string, pattern: string): boolean {
  return pattern.endsWith(".*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
