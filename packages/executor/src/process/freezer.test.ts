import { type Client, ContainerdError } from "@wfe-containerd/client";
import { createDeferred } from "@wfe-containerd/client/internal";
import { expect, test } from "vitest";
import { createFreezer } from "./freezer.js";

/** A client that notes what it is asked. */
function listening(seen: string[]): Client {
  const note = (word: string) => async () => void seen.push(word);
  return {
    tasks: {
      metrics: async () => ({ kind: "cgroup1" }),
      pause: note("pause"),
      resume: note("resume"),
    },
    containers: { update: async () => ({ labels: {} }) },
  } as never;
}

test("no process is added while the container is frozen, and none is frozen while it is added", async () => {
  const seen: string[] = [];
  const freezer = createFreezer("tag");
  const adding = createDeferred<void>();
  const first = freezer.thawed(async () => {
    await adding.promise;
    seen.push("added");
  });
  const writing = freezer.frozen(listening(seen), "c", async () => void seen.push("written"));
  const second = freezer.thawed(async () => void seen.push("added later"));
  adding.resolve();
  await Promise.all([first, writing, second]);
  expect(seen).toEqual(["added", "pause", "written", "resume", "added later"]);
});

test("a failure to write resumes the container, and holds up nobody", async () => {
  const seen: string[] = [];
  const freezer = createFreezer("tag");
  const failing = freezer.frozen(listening(seen), "c", () => Promise.reject(new Error("no space")));
  await expect(failing).rejects.toThrow("no space");
  expect(await freezer.thawed(async () => "added")).toBe("added");
  expect(seen).toEqual(["pause", "resume"]);
});

test("a container is not left frozen because its resumption takes long", async () => {
  const seen: string[] = [];
  const late = new ContainerdError("no answer", { kind: "deadline-exceeded", operation: "resume" });
  const client = listening(seen);
  const answers = [Promise.reject(late), Promise.resolve()];
  client.tasks.resume = async () => (seen.push("resume"), answers.shift());
  expect(await createFreezer("tag").frozen(client, "c", async () => "written")).toBe("written");
  expect(seen).toEqual(["pause", "resume", "resume"]);
});

test("a container that another process has paused is waited for", async () => {
  const seen: string[] = [];
  const client = listening(seen);
  const paused = new ContainerdError("cannot pause a paused container", {
    kind: "unknown",
    operation: "pause",
  });
  const answers = [Promise.reject(paused), Promise.resolve()];
  client.tasks.pause = async () => (seen.push("pause"), answers.shift());
  await createFreezer("tag").frozen(client, "c", async () => void seen.push("written"));
  expect(seen).toEqual(["pause", "pause", "written", "resume"]);
});
