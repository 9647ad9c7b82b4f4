import { z } from "zod";
import type { ThrottleDevice } from "../spec/spec.js";
import { integer, quote, refuseField, size } from "./field.js";

const ulimit = z.union([
  z.number().transform((limit) => ({ soft: limit, hard: limit })),
  z.strictObject({ soft: z.number(), hard: z.number() }),
]);

export const ulimits = z
  .record(z.string(), ulimit)
  .default({})
  .describe("Limits of the process, by name: nofile: 1024, or { soft, hard }; -1 for unlimited.");

export const cpu = z.number().min(0.01).max(8192).describe("Limit of CPU time, in CPUs: 0.5.");

export const memorySwap = z
  .union([z.literal(-1), z.literal("-1").transform(() => -1), size])
  .describe(
    "Limit of memory and swap together; -1 for any amount. Default: the same as memory, so that nothing is swapped.",
  );

export const pidsLimit = z.number().describe("Limit of processes and threads; -1 for none. Default 4096.");

const rate = (limit: typeof size | z.ZodNumber) =>
  z
    .record(z.string(), limit)
    .transform((devices, context): ThrottleDevice[] =>
      Object.entries(devices).map(([device, value]) => {
        const [, major, minor] = /^(\d{1,4}):(\d{1,7})$/.exec(device) ?? [];
        return major === undefined || minor === undefined
          ? refuseField(
              context,
              `${quote(device)} is not a block device`,
              "its numbers, major:minor, as lsblk shows them: 8:0",
            )
          : { major: Number(major), minor: Number(minor), rate: value };
      }),
    )
    .optional();

/**
 * Limits of block devices. They are named by their numbers, because the executor may not see the devices of
 * the daemon's machine.
 */
export const blockIo = {
  blkio_weight: integer(10, 1000).optional().describe("Share of block I/O against other containers."),
  device_read_bps: rate(size).describe('Bytes read a second, by device: { "8:0": 10m }.'),
  device_write_bps: rate(size).describe("Bytes written a second, by device."),
  device_read_iops: rate(integer(1, 2 ** 32)).describe("Reads a second, by device."),
  device_write_iops: rate(integer(1, 2 ** 32)).describe("Writes a second, by device."),
};

export const hugepages = z
  .record(z.string(), size)
  .transform((limits) => Object.entries(limits).map(([pageSize, limitBytes]) => ({ pageSize, limitBytes })))
  .describe("Limit of huge pages, by their size: { 2MB: 64m }.");
