import { defineConfig } from "vitest/config";

// Tests run on the sources: every package offers them under this export condition.
const conditions = ["@wfe-containerd/source"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    // Tests wait for daemons more than they work: two files at a time, also where there are two cores.
    maxWorkers: 2,
    // These are for what never ends. How fast anything is is no matter of a test, and what takes a second alone takes a minute on a machine
    // that runs this suite twice, and others beside it.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    expect: { poll: { timeout: 100_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
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
        },
      },
      {
        extends: true,
        // The packages as they are published: needs them built, and the registry.
        test: { name: "pack", include: ["test-infra/pack/*.test.ts"] },
      },
    ],
  },
});
