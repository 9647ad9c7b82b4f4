import { expect, test } from "vitest";
import { createRelease } from "./release.js";

test("undoes the newest first", async () => {
  const order: string[] = [];
  const release = createRelease();
  for (const kind of ["lease", "snapshot", "container", "task"] as const)
    release.add({ kind, id: "a" }, async () => order.push(kind));
  expect(await release.run()).toEqual([]);
  expect(order).toEqual(["task", "container", "snapshot", "lease"]);
});

test("stops at the first undo that fails, and goes on there", async () => {
  const order: string[] = [];
  const release = createRelease();
  let isAway = true;
  release.add({ kind: "lease", id: "a" }, async () => order.push("lease"));
  release.add({ kind: "container", id: "a" }, async () => {
    order.push("container");
    if (isAway) throw new Error("away");
  });
  release.add({ kind: "task", id: "a" }, async () => order.push("task"));
  expect(await release.run()).toEqual([
    { kind: "container", id: "a", reason: "away" },
    { kind: "lease", id: "a", reason: "it is kept as long as the container a is there" },
  ]);
  expect(release.has("task")).toBe(false);
  expect(release.has("lease")).toBe(true);
  isAway = false;
  expect(await release.run()).toEqual([]);
  expect(order).toEqual(["task", "container", "container", "lease"]);
});

test("closes what is this process's own, once, even if some of it and an undo fail", async () => {
  const release = createRelease();
  const closed: string[] = [];
  release.own(async () => closed.push("first"));
  release.own(() => Promise.reject(new Error("EIO")));
  release.add({ kind: "task", id: "a" }, () => Promise.reject(new Error("away")));
  for (let round = 0; round < 2; round++) expect(await release.run()).toHaveLength(1);
  expect(closed).toEqual(["first"]);
});

test("two calls at the same time are one pass", async () => {
  const release = createRelease();
  let undone = 0;
  release.add({ kind: "task", id: "a" }, async () => {
    undone++;
    throw new Error("away");
  });
  const [one, other] = await Promise.all([release.run(), release.run()]);
  expect(one).toBe(other);
  expect(undone).toBe(1);
});
