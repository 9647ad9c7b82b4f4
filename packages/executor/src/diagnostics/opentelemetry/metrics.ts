import { type Meter, ValueType } from "@opentelemetry/api";
import { observe } from "../observe.js";
import { known, requestError, runError, serverOf } from "./attributes.js";

/**
 * Records metrics with a meter. Names and units are those of the semantic conventions, where they have them.
 *
 * @returns ends it.
 */
export function startMetrics(meter: Meter): () => void {
  const steps = meter.createCounter("wfe_containerd.steps", {
    description: "Steps that are over, by cause or by the kind of the error",
    unit: "{step}",
    valueType: ValueType.INT,
  });
  const running = meter.createUpDownCounter("wfe_containerd.steps.running", {
    description: "Steps that have begun and are not released",
    unit: "{step}",
    valueType: ValueType.INT,
  });
  const stepDuration = meter.createHistogram("wfe_containerd.step.duration", {
    description: "From the start of a step until it is released",
    unit: "s",
  });
  const execDuration = meter.createHistogram("wfe_containerd.exec.duration", {
    description: "From the start of a further process in a container until it is released",
    unit: "s",
  });
  const phaseDuration = meter.createHistogram("wfe_containerd.phase.duration", {
    description: "Duration of each phase of a step",
    unit: "s",
  });
  const rpcDuration = meter.createHistogram("rpc.client.duration", {
    description: "Duration of unary calls to containerd",
    unit: "ms",
  });
  const requestDuration = meter.createHistogram("http.client.request.duration", {
    description: "Duration of requests to registries",
    unit: "s",
  });
  const received = meter.createCounter("wfe_containerd.registry.received", {
    description: "Bytes that registries sent",
    unit: "By",
    valueType: ValueType.INT,
  });
  const sent = meter.createCounter("wfe_containerd.registry.sent", {
    description: "Bytes that were sent to registries",
    unit: "By",
    valueType: ValueType.INT,
  });
  const transferDuration = meter.createHistogram("wfe_containerd.transfer.duration", {
    description: "Duration of pulls and pushes",
    unit: "s",
  });
  const away = meter.createCounter("wfe_containerd.daemon.away", {
    description: "Time in which a daemon was away while something waited for it",
    unit: "s",
  });
  const retries = meter.createCounter("wfe_containerd.retries", {
    description: "What is tried again",
    unit: "{retry}",
    valueType: ValueType.INT,
  });
  const failedReleases = meter.createCounter("wfe_containerd.release.failures", {
    description: "Attempts to remove what a step used that did not remove everything",
    unit: "{attempt}",
    valueType: ValueType.INT,
  });
  const reaped = meter.createCounter("wfe_containerd.reaped", {
    description: "What dead processes had left and was removed, by kind",
    unit: "{thing}",
    valueType: ValueType.INT,
  });
  const begun = new WeakSet<object>();
  const outages = createOutageClock();

  return observe({
    step: {
      start(message) {
        begun.add(message);
        running.add(1);
      },
      end(message) {
        if (begun.has(message)) running.add(-1);
        const attributes = known({
          "wfe_containerd.step.cause": message.cause,
          "error.type": runError(message),
        });
        steps.add(1, attributes);
        stepDuration.record(seconds(message), attributes);
      },
    },
    exec: {
      end: (message) =>
        execDuration.record(
          seconds(message),
          known({ "wfe_containerd.step.cause": message.cause, "error.type": runError(message) }),
        ),
    },
    phase: {
      end: (message) =>
        phaseDuration.record(
          seconds(message),
          known({ "wfe_containerd.phase": message.phase, "error.type": message.errorKind }),
        ),
    },
    rpc: {
      end(message) {
        if (message.isStream) return;
        rpcDuration.record(
          message.durationMs ?? 0,
          known({
            "rpc.system": "grpc",
            "rpc.service": message.service,
            "rpc.method": message.method,
            "rpc.grpc.status_code": message.code,
          }),
        );
      },
    },
    registryRequest: {
      end(message) {
        const server = serverOf(`${message.scheme}://${message.host}`);
        requestDuration.record(
          seconds(message),
          known({
            ...server,
            "http.request.method": message.method,
            "http.response.status_code": message.status,
            "error.type": requestError(message),
          }),
        );
        received.add(message.receivedBytes, known(server));
        sent.add(message.sentBytes, known(server));
      },
    },
    transfer: {
      end: (message) =>
        transferDuration.record(
          seconds(message),
          known({ "wfe_containerd.transfer.operation": message.operation, "error.type": message.errorKind }),
        ),
    },
    outage: {
      start: ({ address }) => outages.start(address),
      end({ address }) {
        const awaySeconds = outages.end(address);
        if (awaySeconds !== undefined) away.add(awaySeconds, known(serverOf(address)));
      },
    },
    retry: { start: (message) => retries.add(1, { "wfe_containerd.retry.of": message.of }) },
    reap: {
      end({ dryRun, removed }) {
        if (!dryRun) for (const { kind } of removed) reaped.add(1, { "wfe_containerd.kind": kind });
      },
    },
    release: {
      end(message) {
        if (message.errorKind !== undefined) failedReleases.add(1);
      },
    },
  });
}

/** Each step has an outage of its own. Those of one daemon at the same time count once. */
function createOutageClock() {
  const current = new Map<string, { readonly since: number; count: number }>();
  return {
    start(address: string): void {
      const known = current.get(address);
      if (known === undefined) current.set(address, { since: performance.now(), count: 1 });
      else known.count++;
    },
    /** @returns how long the daemon was away, in seconds, when the last outage ends. */
    end(address: string): number | undefined {
      const known = current.get(address);
      if (known === undefined || --known.count > 0) return undefined;
      current.delete(address);
      return (performance.now() - known.since) / 1000;
    },
  };
}

function seconds({ durationMs = 0 }: { readonly durationMs?: number | undefined }): number {
  return durationMs / 1000;
}
