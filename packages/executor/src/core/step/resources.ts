import * as z from "zod";
import { RLIMITS } from "../spec/rlimits.js";
import type { ThrottleDevice } from "../spec/spec.js";
import { declare } from "./declaration.js";
import { integer, quote, refuseField, size, withPattern } from "./field.js";

const ulimit = z.union([
  z.number().transform((limit) => ({ soft: limit, hard: limit })),
  z.strictObject({ soft: z.number(), hard: z.number() }),
]);

const memorySwap = z.union([z.literal(-1), z.literal("-1").transform(() => -1), size]);

/** The plan checks it: see `createResources`. */
const setOfNumbers = withPattern(z.string(), /^\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*$/);

/** Block devices have no names here, because the executor may not see those of the daemon's machine. */
const rate = <In>(limit: z.ZodType<number, In>) =>
  z
    .record(withPattern(z.string(), /^\d{1,4}:\d{1,7}$/), limit)
    .transform((devices, context): ThrottleDevice[] =>
      Object.entries(devices).map(([device, value]) => {
        const [, major, minor] = /^(\d{1,4}):(\d{1,7})$/.exec(device) ?? [];
        return major === undefined || minor === undefined
          ? refuseField(
              context,
              `${quote(device)} is not a block device`,
              "the numbers of a block device, major:minor, as lsblk shows them; example: 8:0",
            )
          : { major: Number(major), minor: Number(minor), rate: value };
      }),
    )
    .optional();

const hugepages = z
  .record(withPattern(z.string(), /^[1-9]\d{0,3}[KMG]B$/), size)
  .transform((limits) => Object.entries(limits).map(([pageSize, limitBytes]) => ({ pageSize, limitBytes })));

/** Limits of what the step may take from the daemon's machine. */
export const resourceFields = {
  memory: declare(size.optional(), {
    summary: "Memory limit",
    details: "The kernel kills the step if it needs more.",
    default: "no limit",
    examples: ["512m"],
    policy: ["maximumMemoryBytes"],
    flag: { usage: "-m, --memory <size>" },
  }),
  memory_swap: declare(memorySwap.optional(), {
    summary: "Limit of memory and swap together; -1 for any amount of swap",
    details: "It needs `memory`.",
    default: "with `memory`, no swap",
    examples: ["1g", -1],
    policy: ["maximumMemoryBytes"],
    flag: {
      usage: "--memory-swap <size>",
      help: "limit of memory and swap together; -1 for unlimited swap",
    },
  }),
  memory_reservation: declare(size.optional(), {
    summary: "Memory that the kernel tries to leave to the step",
    examples: ["256m"],
    flag: { usage: "--memory-reservation <size>" },
  }),
  cpu: declare(z.number().min(0.01).max(8192).optional(), {
    summary: "CPU limit, in CPUs",
    default: "no limit",
    examples: [0.5],
    flag: { usage: "--cpus <number>" },
  }),
  cpu_shares: declare(integer(2, 262_144).optional(), {
    summary: "Share of CPU time against other containers; 1024 is usual",
    examples: [512],
    flag: {
      usage: "-c, --cpu-shares <number>",
      help: "share of CPU time against other containers; 1024 is usual",
    },
  }),
  cpuset_cpus: declare(setOfNumbers.optional(), {
    summary: "CPUs to run on",
    default: "any",
    examples: ["0-3,7"],
    flag: { usage: "--cpuset-cpus <list>" },
  }),
  cpuset_mems: declare(setOfNumbers.optional(), {
    summary: "Memory nodes to use",
    default: "any",
    examples: ["0-1"],
    flag: { usage: "--cpuset-mems <list>" },
  }),
  pids_limit: declare(
    z
      .number()
      .meta({ type: "integer", minimum: -1, not: { const: 0 } })
      .optional(),
    {
      summary: "Limit of processes and threads together; -1 for any number",
      default: "4096",
      examples: [100],
      policy: ["maximumPids"],
      flag: {
        usage: "--pids-limit <number>",
        help: "limit of processes; -1 or 0 for no limit (default: 4096)",
      },
    },
  ),
  blkio_weight: declare(integer(10, 1000).optional(), {
    summary: "Share of block I/O against other containers, 10 to 1000",
    examples: [500],
    flag: { usage: "--blkio-weight <number>" },
  }),
  device_read_bps: declare(rate(size), {
    summary: "Limit of bytes read per second, by the numbers of the block device",
    examples: [{ "8:0": "10m" }],
    flag: {
      usage: "--device-read-bps <major:minor:size>",
      help: "limit of bytes read per second: 8:0:10m",
      repeatable: true,
    },
  }),
  device_write_bps: declare(rate(size), {
    summary: "Limit of bytes written per second, by the numbers of the block device",
    examples: [{ "8:0": "10m" }],
    flag: {
      usage: "--device-write-bps <major:minor:size>",
      help: "limit of bytes written per second",
      repeatable: true,
    },
  }),
  device_read_iops: declare(rate(integer(1, 2 ** 32)), {
    summary: "Limit of reads per second, by the numbers of the block device",
    examples: [{ "8:0": 1000 }],
    flag: {
      usage: "--device-read-iops <major:minor:number>",
      help: "limit of reads per second",
      repeatable: true,
    },
  }),
  device_write_iops: declare(rate(integer(1, 2 ** 32)), {
    summary: "Limit of writes per second, by the numbers of the block device",
    examples: [{ "8:0": 1000 }],
    flag: {
      usage: "--device-write-iops <major:minor:number>",
      help: "limit of writes per second",
      repeatable: true,
    },
  }),
  hugepages: declare(hugepages.optional(), {
    summary: "Limit of huge pages, by their size",
    examples: [{ "2MB": "64m" }],
    flag: { usage: "--hugepages <page:size>", help: "limit of huge pages: 2MB:64m", repeatable: true },
  }),
  ulimits: declare(z.record(z.string().meta({ enum: [...RLIMITS] }), ulimit).default({}), {
    summary: "Limits of the process by name: one number, or `{ soft, hard }`; -1 for unlimited",
    default:
      "`nofile`: 65536 open files, which a program may raise to 524288, or less if the daemon may not give as many; all others: the daemon's own",
    examples: [{ nofile: 1024, core: { soft: 0, hard: -1 } }],
    policy: ["ulimits"],
    flag: {
      usage: "--ulimit <name=soft[:hard]>",
      help: "resource limit of processes: nofile=1024",
      repeatable: true,
    },
  }),
  oom_score_adj: declare(integer(-1000, 1000).optional(), {
    summary: "Above 0, the kernel kills the step before other processes",
    default: "0; if the daemon's own score is above 0 and the daemon may not lower it, that score",
    examples: [500],
    policy: ["minimumOomScoreAdj"],
    flag: {
      usage: "--oom-score-adj <number>",
      help: "-1000 to 1000; above 0 the kernel kills the step before other processes",
    },
  }),
};
