import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Mount } from "@wfe-containerd/client";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import type { ArchiveEntry } from "../core/plan/archive.js";
import { chownDirectory, hasEmptyDirectory, writeToLayer, writeToTmpfs } from "./local-files.js";

const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const file = (name: string): ArchiveEntry => ({
  type: "file",
  name,
  contents: Buffer.from(name),
  mode: 0o646,
  ...owner,
});
const directory = (name: string) => ({ type: "directory", name, mode: 0o751, ...owner }) as const;

let upper = "";
let lower = "";
let below = "";
let mounts: Mount[] = [];

beforeEach(async () => {
  const root = await mkdtemp(join(tmpdir(), "local-files-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  [upper, lower, below] = ["upper", "lower", "below"].map((name) => join(root, name)) as [
    string,
    string,
    string,
  ];
  for (const path of [upper, lower, below]) await mkdir(path);
  mounts = overlay(`lowerdir=${lower}:${below}`, `upperdir=${upper}`, `workdir=${root}/work`);
});

function overlay(...options: string[]): Mount[] {
  return [{ type: "overlay", source: "overlay", target: "", options }];
}

const modeOf = async (path: string): Promise<number> => (await lstat(join(upper, path))).mode & 0o7777;

test("files, directories and links are made as their entries say, whatever the umask", async () => {
  const before = process.umask(0o077);
  onTestFinished(() => void process.umask(before));
  const link: ArchiveEntry = { type: "symlink", name: "own/link", target: "/elsewhere" };
  expect(await writeToLayer(mounts, [directory("own"), file("own/file"), link, file("top")])).toBe(true);
  expect(await modeOf("own")).toBe(0o751);
  expect(await modeOf("own/file")).toBe(0o646);
  expect(await readFile(join(upper, "own/file"), "utf8")).toBe("own/file");
  expect(await readlink(join(upper, "own/link"))).toBe("/elsewhere");
  expect(await readdir(upper)).toEqual(["own", "top"]);
});

test("a directory of the image keeps the mode that the topmost layer gives it", async () => {
  await mkdir(join(lower, "etc"), { mode: 0o700 });
  await mkdir(join(below, "etc"), { mode: 0o755 });
  await mkdir(join(below, "run"), { mode: 0o711 });
  expect(await writeToLayer(mounts, [file("etc/hosts"), file("etc/hostname"), file("run/secrets")])).toBe(
    true,
  );
  expect(await modeOf("etc")).toBe(0o700);
  expect(await modeOf("run")).toBe(0o711);
  expect(await readdir(join(upper, "etc"))).toEqual(["hostname", "hosts"]);
});

test.each([
  ["a link of the image is on the way", () => symlink("/tmp", join(lower, "run"))],
  ["a file of the image is on the way", () => writeFile(join(lower, "run"), "")],
  ["the layer has something already", () => writeFile(join(upper, "old"), "")],
  ["the layer is an old one", async () => setClock()],
  ["the layer is somebody else's path", () => rm(upper, { recursive: true })],
])("nothing is written if %s", async (_, prepare) => {
  await prepare();
  const before = await readdir(upper).catch(() => "gone");
  expect(await writeToLayer(mounts, [file("run/secrets")])).toBe(false);
  expect(await readdir(upper).catch(() => "gone")).toEqual(before);
});

/** The time of a change of a file cannot be set, so the clock goes on instead. */
function setClock(): void {
  const now = Date.now;
  Date.now = () => now() + 120_000;
  onTestFinished(() => {
    Date.now = now;
  });
}

test.each([
  ["of another kind", () => [{ type: "bind", source: upper, target: "", options: [] }]],
  ["with mapped ids", () => overlay(`lowerdir=${lower}`, `upperdir=${upper}`, "uidmap=0:1000:1")],
  ["without a layer of its own", () => overlay(`lowerdir=${lower}`)],
])("nothing is written to a snapshot %s", async (_, given) => {
  expect(await writeToLayer(given(), [file("top")])).toBe(false);
  expect(await readdir(upper)).toEqual([]);
});

test("nothing is written deeper than a directory at the top, unless that is made first", async () => {
  await mkdir(join(lower, "a/b"), { recursive: true });
  expect(await writeToLayer(mounts, [file("a/b/file")])).toBe(false);
  expect(await writeToLayer(mounts, [directory("c"), directory("c/d"), file("c/d/file")])).toBe(true);
});

test("what is not a tmpfs gets no secret", async () => {
  expect(await writeToTmpfs(process.pid, upper, [file(`${upper.slice(1)}/token`)])).toBe(false);
  expect(await readdir(upper)).toEqual([]);
});

test("an empty directory is told from a full one, a link, and a layer that is not there", async () => {
  await mkdir(join(upper, "work/empty"), { recursive: true });
  await symlink("work", join(upper, "link"));
  expect(await hasEmptyDirectory(upper, "work/empty")).toBe(true);
  expect(await hasEmptyDirectory(upper, "work")).toBe(false);
  expect(await hasEmptyDirectory(upper, "link/empty")).toBe(false);
  expect(await hasEmptyDirectory(upper, "none")).toBe(false);
  expect(await hasEmptyDirectory(join(upper, "none"), "work")).toBeUndefined();
});

test("a directory gets its owner and mode, but not through a link", async () => {
  await mkdir(join(upper, "work/own"), { recursive: true });
  await symlink("work", join(upper, "link"));
  const inside = (name: string) => directory(join(upper, name).slice(1));
  expect(await chownDirectory(process.pid, inside("link/own"))).toBe(false);
  expect(await modeOf("work/own")).not.toBe(0o751);
  expect(await chownDirectory(process.pid, inside("work/own"))).toBe(true);
  expect(await modeOf("work/own")).toBe(0o751);
});
