import { defineConfig } from "vitest/config";

// Tests run on the sources: every package offers them under this export condition.
const conditions = ["@wfe-containerd/source"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    // Tests wait for daemons more than they work: two files at a time, also where there are two cores.
    maxWorkers: 2,
    // What is waited for comes: this is for what never does. The default, a second, passes on a busy machine.
    expect: { poll: { timeout: 50_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          // For what hangs; how fast anything is is no matter of a test, and the machine may have other things to do.
          testTimeout: 120_000,
          include: ["packages/*/src/**/*.test.ts", "test-infra/{images,lima,lint,probe}/**/*.test.ts"],
        },
      },
      {
        extends: true,
        test: {
          // Against a real containerd that each file starts for itself.
          name: "daemon",
          include: [
            "packages/*/test/**/*.test.ts",
            "examples/**/*.test.ts",
            "test-infra/{daemon,remote}/**/*.test.ts",
          ],
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
      {
        extends: true,
        // The packages as they are published: needs them built, and the registry.
        test: { name: "pack", include: ["test-infra/pack/*.test.ts"], testTimeout: 300_000 },
      },
    ],
  },
});
