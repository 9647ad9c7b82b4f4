import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { buildImage, type LayerEntry, ociArchive } from "./build.js";

export const DEBIAN_NAME = "docker.io/library/debian:bookworm";

const LAYER = fileURLToPath(new URL("../../.cache/debian/bookworm-image/layer.tar", import.meta.url));
const PROBE = fileURLToPath(new URL("../probe/probe.pl", import.meta.url));

/**
 * Packs a real Debian with what tests run in it: `/probe.pl`, a busybox that makes devices for it, a set-uid
 * `id`, and in `/repository` package files that apt may install.
 *
 * @param options `user`: the user in the image's config. Default: empty, which means root.
 */
export async function debianArchive({ name = DEBIAN_NAME, user = "" } = {}): Promise<Buffer> {
  const layer = await readFile(LAYER).catch((cause: unknown) => {
    throw new Error(`there is no ${LAYER}: node scripts/setup.mjs --tests`, { cause });
  });
  const files: LayerEntry[] = [
    { path: "probe.pl", contents: await readFile(PROBE), mode: 0o644 },
    { path: "usr/bin/busybox", contents: await readFile("/bin/busybox") },
    { path: "usr/bin/suid", contents: await readFile("/usr/bin/id"), mode: 0o4755 },
  ];
  const config = { Cmd: ["bash"], User: user };
  return ociArchive(await buildImage({ layers: [layer, files], config, compression: "none" }), name);
}
