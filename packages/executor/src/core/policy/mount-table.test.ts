import { expect, test } from "vitest";
import { findMount, findPlace, parseMountTable } from "./mount-table.js";

const table = parseMountTable(`22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 27 254:16 /data /srv rw,relatime shared:7 - ext4 /dev/vdb rw
41 40 0:50 / /srv/a/cache rw master:7 - tmpfs tmpfs rw
42 40 254:0 /home/with\\040space /srv/a rw - ext4 /dev/vda rw
43 42 0:51 / /srv/a rw - tmpfs tmpfs rw
`);

test.each([
  ["/", "254:0", "/"],
  ["/home/dev", "254:0", "/home/dev"],
  ["/srv", "254:16", "/data"],
  ["/srv/b/c", "254:16", "/data/b/c"],
  ["/srvx", "254:0", "/srvx"],
  // Two mounts on the same target, over an earlier mount below it.
  ["/srv/a", "0:51", "/"],
  ["/srv/a/cache/x", "0:51", "/cache/x"],
])("what is at %s", (path, device, place) => {
  expect(findPlace(table, path)).toEqual({ device, path: place });
});

test("a path with a space is read as it is", () => {
  expect(table[4]?.root).toBe("/home/with space");
});

test("a table without a root holds nothing", () => {
  expect(findMount(table.slice(2), "/srv")).toBeUndefined();
});

test("what is shared, or another's slave, receives mounts", () => {
  expect(table.filter(({ receives }) => receives).map(({ target }) => target)).toEqual([
    "/srv",
    "/srv/a/cache",
  ]);
});
