import { composeScript } from "../plan/script.js";
import type { ResourceLimits } from "../spec/resources.js";
import { NO_RETRY } from "./retry.js";
import type { StepFile } from "./schema.js";
import type { StepConfig } from "./step.js";

/** Turns a parsed step file into the step that the rest of the executor uses. */
export function toConfig(step: StepFile): StepConfig {
  return {
    name: step.name,
    image: step.image,
    ...(step.run === undefined ? { command: step.command } : composeScript(step.run, step.shell)),
    programField: step.run === undefined ? "command" : step.shell === undefined ? "run" : "shell",
    args: step.args,
    env: step.env,
    workingDir: step.working_dir,
    user: step.user,
    groupAdd: step.group_add,
    init: step.init,

    volumes: step.volumes
      .map((volume, index) => ({ ...volume, index }))
      .filter(({ source }) => source.startsWith("/")),
    namedVolumes: step.volumes
      .filter(({ source }) => !source.startsWith("/"))
      .map(({ source, target, readonly, noexec }) => ({ name: source, target, readonly, noexec })),
    caches: step.caches,
    tmpfs: step.tmpfs.map(({ size, ...mount }) => ({ ...mount, sizeBytes: size })),
    secrets: step.secrets,
    readOnly: step.read_only,
    shmSizeBytes: step.shm_size,

    network: step.network,
    hostname: step.hostname,
    extraHosts: step.extra_hosts,
    dns: step.dns,
    dnsSearch: step.dns_search,
    dnsOptions: step.dns_options,

    resources: toResourceLimits(step),
    ulimits: step.ulimits,
    oomScoreAdj: step.oom_score_adj,

    capAdd: step.cap_add,
    capDrop: step.cap_drop,
    privileged: step.privileged,
    noNewPrivileges: step.no_new_privileges,
    seccomp: step.seccomp,
    apparmorProfile: step.apparmor_profile,
    userNamespace: step.user_namespace,
    runtime: step.runtime,
    devices: step.devices,
    sysctls: step.sysctls,
    annotations: step.annotations,

    pull: step.pull,
    registryAuth: step.registry_auth,
    containerdAddr: step.containerd_addr,
    tls: step.tls,
    maxLogBytes: step.max_log_bytes,
    onLogLimit: step.on_log_limit,
    timeoutMs: step.timeout_ms ?? step.timeout,
    stopSignal: step.stop_signal,
    stopGraceMs: step.stop_grace_ms ?? step.stop_grace,
    retry: step.retry ?? NO_RETRY,
    labels: step.labels,
  };
}

/** Returns the limits of a step, as the runtime spec groups them. */
export function toResourceLimits(step: StepFile): ResourceLimits {
  return {
    memoryBytes: step.memory,
    memorySwapBytes: step.memory_swap,
    memoryReservationBytes: step.memory_reservation,
    cpus: step.cpu,
    cpuShares: step.cpu_shares,
    cpusetCpus: step.cpuset_cpus,
    cpusetMems: step.cpuset_mems,
    pidsLimit: step.pids_limit,
    blockIo: {
      weight: step.blkio_weight,
      readBytesPerSecond: step.device_read_bps,
      writeBytesPerSecond: step.device_write_bps,
      readOperationsPerSecond: step.device_read_iops,
      writeOperationsPerSecond: step.device_write_iops,
    },
    hugepages: step.hugepages,
  };
}
