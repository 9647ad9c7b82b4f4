import type { Client, ResolvedImage } from "@wfe-containerd/client";
import { expect, test } from "vitest";
import { createUserFileCache } from "./user-file-cache.js";

/** A client that has only `/etc/passwd`, and notes which paths it is asked for. */
function fakeClient(place: Partial<Pick<Client, "address" | "namespace" | "snapshotter">> = {}) {
  const asked: string[][] = [];
  const images = {
    readFiles: async (_: ResolvedImage, paths: readonly string[]) => {
      asked.push([...paths]);
      return new Map(paths.filter((path) => path === "/etc/passwd").map((path) => [path, Buffer.from("x")]));
    },
  };
  const client = { address: "unix:///a", namespace: "default", snapshotter: "overlayfs", ...place, images };
  return { client: client as unknown as Client, asked };
}

const image = (chainId: string) => ({ chainId }) as ResolvedImage;
const BOTH = ["/etc/passwd", "/etc/group"];

test("files of an unpacked image are asked for once, those that it does not have too", async () => {
  const read = createUserFileCache();
  const { client, asked } = fakeClient();
  expect([...(await read(client, image("one"), ["/etc/passwd"], undefined)).keys()]).toEqual(["/etc/passwd"]);
  for (let times = 0; times < 3; times++) {
    const files = await read(client, image("one"), BOTH, undefined);
    expect([files.get("/etc/passwd")?.length, files.get("/etc/group")]).toEqual([1, undefined]);
  }
  expect(asked).toEqual([["/etc/passwd"], ["/etc/group"]]);
});

test.each([
  ["daemon", { address: "unix:///b" }],
  ["namespace", { namespace: "other" }],
  ["snapshotter", { snapshotter: "native" }],
])("another %s is asked for itself: it may have unpacked a layer in another way", async (_, place) => {
  const read = createUserFileCache();
  await read(fakeClient().client, image("one"), BOTH, undefined);
  const other = fakeClient(place);
  await read(other.client, image("one"), BOTH, undefined);
  expect(other.asked).toEqual([BOTH]);
});

test("a failure is not kept", async () => {
  const read = createUserFileCache();
  const { client, asked } = fakeClient();
  const failing = { ...client, images: { readFiles: () => Promise.reject(new Error("away")) } };
  await expect(read(failing as unknown as Client, image("one"), BOTH, undefined)).rejects.toThrow("away");
  await read(client, image("one"), BOTH, undefined);
  expect(asked).toEqual([BOTH]);
});

test("steps that begin at once share one reading", async () => {
  const read = createUserFileCache();
  const { client, asked } = fakeClient();
  const all = await Promise.all(Array.from({ length: 9 }, () => read(client, image("one"), BOTH, undefined)));
  expect(all.map((files) => files.get("/etc/passwd")?.length)).toEqual(Array(9).fill(1));
  expect(asked).toEqual([BOTH]);
});

test("one that is aborted ends at once, whether it reads or waits, and the others go on", async () => {
  const read = createUserFileCache();
  const { client, asked } = fakeClient();
  const endless = {
    ...client,
    images: {
      readFiles: (_: unknown, __: unknown, { signal }: { signal: AbortSignal }) =>
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
    },
  } as unknown as Client;
  const [first, second] = [new AbortController(), new AbortController()];
  const reading = read(endless, image("one"), BOTH, first.signal);
  const waiting = read(client, image("one"), BOTH, second.signal);
  const third = read(client, image("one"), BOTH, undefined);
  second.abort(new Error("second"));
  await expect(waiting).rejects.toThrow("second");
  expect(asked).toEqual([]);
  first.abort(new Error("first"));
  await expect(reading).rejects.toThrow("first");
  expect((await third).get("/etc/passwd")?.length).toBe(1);
  expect(asked).toEqual([BOTH]);
});
