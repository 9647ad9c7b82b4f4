import * as z from "zod";
import { declare } from "./declaration.js";
import { duration, milliseconds, noNul, refuseField, size, text } from "./field.js";
import { retry } from "./retry.js";

/** Signals of Linux that end a process, or that a process may take as an order to end. */
const SIGNAL =
  /^((SIG)?(HUP|INT|QUIT|ABRT|KILL|USR1|USR2|PIPE|ALRM|TERM|CONT|WINCH|IO|PWR|RTMIN(\+([0-9]|1[0-5]))?|RTMAX(-([0-9]|1[0-4]))?)|([1-9]|[1-5][0-9]|6[0-4]))$/;

const stopSignal = text("SIGTERM, USR1, SIGRTMIN+3 and the like, or 1 to 64", SIGNAL);

/**
 * Programs that share containerd with us (its garbage collector and CRI, nerdctl, BuildKit, Kubernetes) find
 * their own objects, and take orders, by labels with a slash and by labels that begin with these names.
 */
const LABEL = /^(?!io\.|com\.docker\.)[\w.-]+$/;
/** containerd's own limit on a key and its value together. */
const MAX_LABEL_LENGTH = 4096;

const labels = z
  .record(
    text(
      "letters, digits, dots, dashes and underscores, not beginning with io. or com.docker., because containerd and other tools act on such labels; example: com.example.team",
      LABEL,
    ),
    z.string(),
  )
  .superRefine((entries, context) => {
    for (const [key, value] of Object.entries(entries)) {
      if (key.length + value.length > MAX_LABEL_LENGTH)
        refuseField(
          context,
          `${key.slice(0, 80)} is too long`,
          `up to ${MAX_LABEL_LENGTH} characters, key and value together`,
        );
    }
  });

const positive = (durationMs: number): boolean => durationMs > 0;

const tls = z.strictObject({
  ca: z
    .string()
    .meta({ description: "Certificates of the authorities that the daemon's may come from." })
    .optional(),
  cert: z.string().meta({ description: "Certificate of the client." }).optional(),
  key: z.string().meta({ description: "Key of the client's certificate." }).optional(),
});

const registryAuth = z.record(z.string(), z.strictObject({ username: z.string(), password: z.string() }));

/** Where the step runs, for how long, and under which labels. */
export const executionFields = {
  pull: declare(z.enum(["always", "if-not-present", "never"]).default("if-not-present"), {
    summary: "When to pull the image",
    flag: {
      usage: "--pull <when>",
      help: "when to pull the image",
      choices: ["always", "missing", "never"],
      default: "missing",
    },
  }),
  registry_auth: declare(registryAuth.optional(), {
    summary: "Credentials by registry host: `{ host: { username, password } }`",
    default: "docker's config",
  }),
  containerd_addr: declare(
    text(
      "an address; example: /run/containerd/containerd.sock",
      (value) => value !== "" && noNul(value),
      /[\s\S]/,
    ).optional(),
    {
      summary: "Address of another daemon: /path, unix://, tcp://, http:// or https://",
      default: "the executor's own daemon",
      examples: ["tcp://10.0.0.5:2500"],
      policy: ["addresses"],
    },
  ),
  tls: declare(tls.optional(), {
    summary: "TLS files for `containerd_addr`: `{ ca, cert, key }`",
    details: "Each is the contents of a PEM file, or its path on the executor's machine.",
  }),
  timeout: declare(duration(positive).optional(), {
    summary: "Longest time that the process may run, counted from its start",
    default: "no limit",
    examples: ["30s", "5m"],
    policy: ["maximumTimeoutMs"],
    flag: { usage: "--timeout <duration>", help: "time limit: 30s, 5m" },
  }),
  timeout_ms: declare(milliseconds(1).optional(), {
    summary: "The same in milliseconds, instead of `timeout`",
    examples: [60_000],
    policy: ["maximumTimeoutMs"],
    flag: "--timeout",
  }),
  stop_signal: declare(stopSignal.optional(), {
    summary: "Signal that stops the process, before SIGKILL",
    default: "the image's own, else SIGTERM",
    examples: ["SIGINT", "SIGRTMIN+3"],
    flag: { usage: "--stop-signal <signal>" },
  }),
  stop_grace: declare(duration().optional(), {
    summary: "Time between the stop signal and SIGKILL",
    default: "10s",
    examples: ["30s"],
    policy: ["maximumStopGraceMs"],
    flag: { usage: "--stop-timeout <duration>" },
  }),
  stop_grace_ms: declare(milliseconds(0).optional(), {
    summary: "The same in milliseconds, instead of `stop_grace`",
    examples: [30_000],
    policy: ["maximumStopGraceMs"],
    flag: "--stop-timeout",
  }),
  retry: declare(retry.optional(), {
    summary: "Try the step again when it fails: `{ attempts, delay, backoff, on }`",
    details:
      "`attempts` counts the first one too. `delay` is the time before the next attempt (1s), and grows by the factor `backoff` (1) each time. `on` lists after which causes of a result, or kinds of an error. Without `on`: after every failure that may pass and whose outcome is known.",
    default: "one attempt",
    examples: [
      { attempts: 3 },
      { attempts: 5, delay: "10s", backoff: 2, on: ["timeout", "daemon-unavailable"] },
    ],
    policy: ["maximumAttempts"],
    flag: {
      usage: "--retry <attempts>",
      help: "try again when the command fails: 3, or 3,delay=10s,backoff=2,on=exit,on=timeout; the number counts the first attempt",
    },
  }),
  max_log_bytes: declare(size.optional(), {
    summary: "How much of the step's output is kept, of both streams together",
    details: "At most what the executor allows.",
    default: "the executor's, which is 2 GiB unless it was set",
    examples: ["64m"],
  }),
  on_log_limit: declare(z.enum(["fail", "truncate", "drop-oldest"]).optional(), {
    summary: "What happens when the step prints more than that",
    details:
      "`fail`: it is stopped. `truncate`: it goes on, and only the first bytes are kept. `drop-oldest`: it goes on, and only the newest bytes are kept.",
    default: "the executor's, which is `drop-oldest` unless it was set",
  }),
  labels: declare(labels.default({}), {
    summary: "Labels of the container",
    details:
      "Names with a slash, `io.*` and `com.docker.*` are refused, because containerd and the tools that use it act on such labels.",
    examples: [{ team: "build" }],
    flag: { usage: "-l, --label <name=value>", help: "label on the container", repeatable: true },
  }),
};
