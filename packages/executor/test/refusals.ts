import {
  createExecutor,
  type ExecutorOptions,
  isExecutorError,
  type StepInput,
  type StepIssue,
  type StepResult,
  UNRESTRICTED_POLICY,
} from "@wfe-containerd/executor";
import {
  type Inventory,
  once,
  type TestDaemon,
  takeInventory,
  useDaemon,
} from "@wfe-containerd/test-infra/daemon";
import { buildImage, busyboxLayer, type LayerEntry, ociArchive } from "@wfe-containerd/test-infra/images";
import { afterEach, beforeEach, expect } from "vitest";

export const BUSYBOX = { name: "bad", image: "busybox" };

/**
 * A daemon for steps that are refused. After each test, everything must be as before it, images and content
 * too.
 */
export interface Refusals {
  readonly at: TestDaemon;
  /**
   * Runs a step. Default policy: everything that a policy can allow, so that only steps that nobody may run
   * are refused.
   */
  run(change: object, options?: ExecutorOptions): Promise<StepResult>;
  /** The issues of a step that must be refused. */
  issuesOf(change: object, options?: ExecutorOptions): Promise<readonly StepIssue[]>;
  expectRefused(field: string | RegExp, changes: readonly object[], options?: ExecutorOptions): Promise<void>;
  /** Imports an image with this config: busybox, with these files on top. It is removed afterwards. */
  withImage<T>(config: object, use: (name: string) => Promise<T>, files?: LayerEntry[]): Promise<T>;
}

export function useRefusals(): Refusals {
  const at = useDaemon();
  const stored = async (): Promise<Pick<Inventory, "images" | "content">> => {
    const { daemon, client, ioDir } = at;
    const { images, content } = await takeInventory({ daemon, client, ioDir, images: true });
    return { images, content };
  };
  let before: Inventory;
  let storedBefore: Awaited<ReturnType<typeof stored>>;
  beforeEach(async () => {
    before = await at.inventory();
    storedBefore = await stored();
  });
  afterEach(async () => {
    await at.expectNothingLeft(before);
    expect(await stored()).toEqual(storedBefore);
  });

  async function run(change: object, options: ExecutorOptions = {}): Promise<StepResult> {
    const { client, ioDir } = at;
    await using executor = createExecutor({ client, ioDir, policy: UNRESTRICTED_POLICY, ...options });
    return await executor.run({ ...BUSYBOX, ...change } as StepInput);
  }

  async function issuesOf(change: object, options?: ExecutorOptions): Promise<readonly StepIssue[]> {
    const reason: unknown = await run({ run: "true", ...change }, options).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(isExecutorError(reason), `${JSON.stringify(change).slice(0, 200)} is refused`).toBe(true);
    const { kind, issues } = reason as { kind: string; issues: readonly StepIssue[] };
    expect(kind).toMatch(/^(?:invalid-step|refused)$/);
    for (const { message } of issues) expect(message).not.toBe("");
    return issues;
  }

  return {
    at,
    run,
    issuesOf,
    async expectRefused(field, changes, options) {
      for (const change of changes) {
        const fields = (await issuesOf(change, options)).map((issue) => issue.field);
        expect(fields, JSON.stringify(change).slice(0, 200)).toEqual(
          expect.arrayContaining([typeof field === "string" ? field : expect.stringMatching(field)]),
        );
      }
    },
    async withImage(config, use, files = []) {
      const name = "docker.io/library/hostile:1";
      const built = await buildImage({ layers: [await busyboxLayer(), files], config: { ...config } });
      await at.client.images.import(once(await ociArchive(built, name)));
      try {
        return await use(name);
      } finally {
        await at.client.images.remove(name, { sync: true });
      }
    },
  };
}
