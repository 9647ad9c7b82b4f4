import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { parse } from "yaml";

const template = parse(await readFile(new URL("wfe-containerd.yaml", import.meta.url), "utf8"), {
  strict: true,
});

/** The keys that Lima documents, as far as the template may need them. Lima refuses unknown keys. */
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  "": [
    "minimumLimaVersion",
    "base",
    "vmType",
    "vmOpts",
    "arch",
    "images",
    "cpus",
    "memory",
    "disk",
    "mounts",
    "mountType",
    "mountInotify",
    "ssh",
    "containerd",
    "provision",
    "probes",
    "portForwards",
    "message",
    "env",
    "param",
    "networks",
    "hostResolver",
  ],
  images: ["location", "arch", "digest"],
  mounts: ["location", "mountPoint", "writable", "sshfs", "9p", "virtiofs"],
  containerd: ["system", "user", "archives"],
  provision: ["mode", "script", "file"],
  probes: ["mode", "description", "script", "hint"],
  portForwards: [
    "guestIP",
    "guestPort",
    "guestPortRange",
    "guestSocket",
    "hostIP",
    "hostPort",
    "hostPortRange",
    "hostSocket",
    "proto",
    "ignore",
  ],
};

test("it has no key that Lima does not know", () => {
  for (const [section, known] of Object.entries(KNOWN)) {
    const objects = section === "" ? [template] : [template[section]].flat();
    for (const object of objects) expect(known).toEqual(expect.arrayContaining(Object.keys(object)));
  }
});

test("it shares one directory, writable, at the same path on both sides", () => {
  expect(template.mounts).toEqual([{ location: "~/.wfe-containerd", writable: true }]);
  expect(template.message).toContain("WFE_IO_DIR=~/.wfe-containerd");
});

test("nothing but port 2500 is forwarded, from loopback to loopback", () => {
  const [first, ...others] = template.portForwards;
  expect(first).toEqual({ guestPort: 2500, hostIP: "127.0.0.1", hostPort: 2500 });
  // Lima takes the first rule that matches, and its own rules come last.
  expect(others).toEqual([{ guestIP: "0.0.0.0", guestPortRange: [1, 65535], proto: "any", ignore: true }]);
  expect(template.provision[0].script).toContain("TCP-LISTEN:2500,bind=127.0.0.1,");
});

test("it has an image for each kind of machine that Lima has users on", () => {
  expect(template.images.map(({ arch }: { arch: string }) => arch)).toEqual(["x86_64", "aarch64"]);
});
