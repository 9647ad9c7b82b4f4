import { type Client, type Container, isContainerdError, type ResolvedImage } from "@wfe-containerd/client";
import { ignoreNotFound } from "@wfe-containerd/client/internal";
import type { AllowedStep } from "../core/plan/checked-step.js";
import { LABELS } from "../core/plan/labels.js";
import type { StepPlan } from "../core/plan/plan.js";
import { secretPlaces } from "../core/plan/rootfs.js";
import { isSandboxed } from "../core/plan/runtime.js";
import type { StepRecord } from "../core/recovery/step-record.js";
import type { Spec } from "../core/spec/spec.js";
import { toHostUser } from "../core/spec/user.js";
import { parseStep } from "../core/step/parse-step.js";
import { usualTarget } from "../core/step/secret-request.js";
import type { HostVolume } from "../core/step/step.js";
import { isWithin } from "../core/units/path.js";
import { ExecutorError } from "../error.js";
import type { Machine } from "../machine/machine.js";
import { findRecorded, listRecorded, type RecordedStep } from "../record/recorded-step.js";
import type { HostContainer } from "./create-exec.js";

/** On the host's network, a container has this file of the host. */
const HOST_RESOLVER = "/etc/resolv.conf";

/** A step that this process has not started, and whose container is there. */
export interface FoundContainer {
  readonly step: RecordedStep;
  readonly record: StepRecord;
}

/**
 * Finds the container of a step.
 *
 * @param word the id of the step, or its name, if no other step has that name.
 * @throws ExecutorError `invalid-argument` if there is no such step, or several; `runtime` if an older
 * version, or a newer one, has made it.
 */
export async function findContainer(client: Client, word: string): Promise<FoundContainer> {
  const step = (await findRecorded(client, word)) ?? (await findByName(client, word));
  if (step?.container === undefined) throw notFound(client, word);
  const { id, found } = step;
  if (found.kind === "record") return { step, record: found.record };
  const problem = found.kind === "none" ? "another program, or an older version, has made it" : found.problem;
  throw new ExecutorError(`container ${id} cannot be used: ${problem}`, { kind: "runtime" });
}

async function findByName(client: Client, name: string): Promise<RecordedStep | undefined> {
  const all = await listRecorded(client);
  const named = all.filter(({ container }) => container?.labels[LABELS.step] === name);
  if (named.length < 2) return named[0];
  const ids = named.map(({ id }) => id).join(", ");
  throw new ExecutorError(
    `step: ${named.length} steps have the name ${JSON.stringify(name)}; allowed: the id of one: ${ids}`,
    { kind: "invalid-argument" },
  );
}

function notFound({ namespace }: Client, word: string): ExecutorError {
  return new ExecutorError(
    `step: there is no step ${JSON.stringify(word)} in namespace ${namespace}; allowed: the id or the name of a step, as listSteps gives it`,
    { kind: "invalid-argument" },
  );
}

/**
 * The container of such a step, as further processes in it need it. Undefined if the step does not run.
 *
 * @param masked what is masked in the output of these processes.
 */
export async function openContainer(
  machine: Machine,
  { step: { id, container }, record }: FoundContainer,
  masked: readonly Uint8Array[],
): Promise<HostContainer | undefined> {
  const { client } = machine;
  const status = await ignoreNotFound(client.tasks.get(id));
  if (status?.status !== "running" && status?.status !== "paused") return undefined;
  const spec = container?.spec as Spec;
  const { uidMappings = [], gidMappings = [] } = spec.linux;
  const userNamespace = uidMappings.length === 0 ? undefined : { uidMappings, gidMappings };
  const { uid, gid } = spec.process.user;
  const { name, image, output } = record;
  return {
    plan: planOf(id, record, spec, container),
    task: { pid: status.pid, spec },
    resolved: {
      machine,
      userNamespace,
      ioDirectory: output.directory,
      secrets: masked.map((value) => ({ mask: true, value })),
      hostUser: toHostUser({ uid, gid }, userNamespace),
      // Nothing of it is asked for: the container is there already.
      step: Object.assign(parseStep({ name, image: image.name }) as AllowedStep, {
        user: `${uid}:${gid}`,
        volumes: foreignMounts(spec, output.directory),
      }),
      image: await findImage(client, image),
    },
  };
}

/** As far as a further process depends on it. The executor that started the step has written the spec. */
function planOf(
  id: string,
  { name, image, programField, stop, ...record }: StepRecord,
  spec: Spec,
  { labels = {}, runtimeName: type = "" }: Partial<Container> = {},
): StepPlan {
  const runtime = { type, sandboxed: isSandboxed(type) };
  return {
    id,
    name,
    snapshot: { parent: "", labels },
    // Those of its entries that are not only its own.
    rootfs: secretPlaces(
      record.secrets.map(({ name, target = usualTarget(name) }) => ({ target })),
      false,
    ),
    nameFiles: [],
    container: { image: image.name, snapshotter: "", runtime, spec, specWithoutDefaults: spec, labels },
    record: { name, image, programField, stop, ...record },
    files: [],
    args: spec.process.args,
    programField,
    workingDirField: "working_dir",
    mountFields: {},
    hasOwnSeccomp: false,
    memoryBytes: spec.linux.resources.memory?.limit,
    timeoutMs: undefined,
    stopSignal: stop.signal,
    stopGraceMs: stop.graceMs,
  };
}

/** What is mounted from outside, and may be another container's, too. */
function foreignMounts({ mounts }: Spec, ioDirectory: string): HostVolume[] {
  return mounts
    .filter(({ type, source = "" }) => type === "bind" && !isWithin(source, ioDirectory))
    .filter(({ source }) => source !== HOST_RESOLVER)
    .map(({ source = "", destination }, index) => ({ index, source, target: destination, readonly: false }));
}

async function findImage(
  client: Client,
  { name, digest }: StepRecord["image"],
): Promise<ResolvedImage | undefined> {
  try {
    const image = await client.images.resolve(name);
    return image.target.digest === digest ? image : undefined;
  } catch (reason) {
    // The name may mean one by now that is broken, or for other machines.
    if (isContainerdError(reason, "not-found") || isContainerdError(reason, "invalid-argument"))
      return undefined;
    throw reason;
  }
}
