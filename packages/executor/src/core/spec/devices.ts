import { refuse } from "../refuse.js";
import type { Device, DeviceRule } from "./spec.js";

/** A device of the daemon's machine that a step gets. */
export interface StepDevice {
  /** Path in the container, below `/dev`. */
  readonly path: string;
  readonly type: "b" | "c";
  readonly major: number;
  readonly minor: number;
  /** Any of `r`, `w`, `m` (mknod). Default `rwm`, as in docker. */
  readonly access?: string | undefined;
  /** Permission bits. Default 0o666: in a step that gets a device, every user may open it. */
  readonly fileMode?: number | undefined;
}

/**
 * Well-known devices. The kernel's list of allocated devices fixes their numbers, so they can be named even
 * if the daemon's machine cannot be looked at. Source: Documentation/admin-guide/devices.txt.
 */
const FIXED_NUMBERS: Readonly<Record<string, readonly [type: "b" | "c", major: number, minor: number]>> = {
  "/dev/fuse": ["c", 10, 229],
  "/dev/kvm": ["c", 10, 232],
  "/dev/net/tun": ["c", 10, 200],
  "/dev/loop-control": ["c", 10, 237],
  "/dev/vhost-net": ["c", 10, 238],
  "/dev/vhost-vsock": ["c", 10, 241],
  "/dev/kmsg": ["c", 1, 11],
  "/dev/dri/card0": ["c", 226, 0],
  "/dev/dri/renderD128": ["c", 226, 128],
};

/**
 * Reads a well-known device, as docker's `--device` writes it: `/dev/fuse`, `/dev/fuse:/dev/other`,
 * `/dev/fuse:/dev/fuse:rw`.
 *
 * @throws ExecutorError `refused` for a path whose numbers are not fixed (give type, major and minor
 * instead), and for an invalid target or access.
 */
export function parseDevice(text: string): StepDevice {
  const [source = "", target, access, ...rest] = text.split(":");
  // In docker, the second of two parts may be the access.
  const isAccess = access === undefined && target !== undefined && /^[rwm]{1,3}$/.test(target);
  const numbers = Object.hasOwn(FIXED_NUMBERS, source) ? FIXED_NUMBERS[source] : undefined;
  if (numbers === undefined || rest.length > 0) {
    refuse(
      "devices",
      `${JSON.stringify(text)} is not a well-known device, so its numbers are needed`,
      ALLOWED,
    );
  }
  const [type, major, minor] = numbers;
  return checkDevice({
    path: isAccess ? source : (target ?? source),
    type,
    major,
    minor,
    access: isAccess ? target : access,
  });
}

/** Type and numbers by which the kernel identifies a device: `c 10:229`. */
export function numbersOf({ type, major, minor }: StepDevice): string {
  return `${type} ${major}:${minor}`;
}

/**
 * Type and numbers of a well-known path, as in {@link numbersOf}; `undefined` if its numbers are not fixed.
 */
export function deviceNumbers(path: string): string | undefined {
  const numbers = Object.hasOwn(FIXED_NUMBERS, path) ? FIXED_NUMBERS[path] : undefined;
  return numbers && `${numbers[0]} ${numbers[1]}:${numbers[2]}`;
}

const ALL_DEVICES: DeviceRule = { allow: true, access: "rwm" };
const NO_DEVICES: DeviceRule = { allow: false, access: "rwm" };

/**
 * null, zero, full, random, urandom, tty, console, ptmx and the pseudo-terminals. The runtime makes their
 * nodes.
 */
const DEFAULT_DEVICES: readonly (readonly [major: number, minor?: number])[] = [
  [1, 3],
  [1, 5],
  [1, 7],
  [1, 8],
  [1, 9],
  [5, 0],
  [5, 1],
  [5, 2],
  [136],
];

/**
 * Returns the rules of the devices controller. They deny everything except the default devices and the given
 * ones. A privileged step may use every device.
 */
export function createDeviceRules(devices: readonly StepDevice[], privileged = false): DeviceRule[] {
  if (privileged) return [ALL_DEVICES];
  const defaults = DEFAULT_DEVICES.map(
    ([major, minor]): DeviceRule => ({
      allow: true,
      type: "c",
      major,
      ...(minor === undefined ? {} : { minor }),
      access: "rwm",
    }),
  );
  const given = devices.map(
    ({ type, major, minor, access = "rwm" }): DeviceRule => ({ allow: true, type, major, minor, access }),
  );
  return [NO_DEVICES, ...defaults, ...given];
}

/**
 * Returns the nodes that the runtime makes for the given devices. Root owns them.
 *
 * @throws ExecutorError `refused` for an invalid device.
 */
export function createDevices(devices: readonly StepDevice[]): Device[] {
  return devices.map(checkDevice).map(({ path, type, major, minor, fileMode = 0o666 }) => ({
    path,
    type,
    major,
    minor,
    fileMode,
    uid: 0,
    gid: 0,
  }));
}

/**
 * Returns the device unchanged if it is valid.
 *
 * @throws ExecutorError `refused` for an invalid path, number or access.
 */
export function checkDevice(device: StepDevice): StepDevice {
  const { path, major, minor, access = "rwm" } = device;
  if (!/^\/dev\/[A-Za-z0-9][\w.-]*(\/[A-Za-z0-9][\w.-]*)*$/.test(path)) {
    refuse("devices", `${JSON.stringify(path)} is not a plain path below /dev`, ALLOWED);
  }
  for (const number of [major, minor]) {
    if (!Number.isInteger(number) || number < 0 || number > 0xfffff)
      refuse("devices", `${number} is not a device number`, "0 to 1048575");
  }
  if (!/^[rwm]{1,3}$/.test(access))
    refuse("devices", `${JSON.stringify(access)} is not a valid access`, "some of r, w and m; example: rw");
  return device;
}

const ALLOWED = `one of ${Object.keys(FIXED_NUMBERS).join(", ")}; or { path, type, major, minor }, for example { path: /dev/sda, type: b, major: 8, minor: 0 }`;
