import { defineConfig } from "vitest/config";

// Tests run on the sources, which every package offers under this export condition.
const conditions = ["@wfe-containerd/source"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    // Tests wait for daemons more than half of the time, so four files run at a time, even on two cores.
    maxWorkers: 4,
    // Importing the sources takes seconds of CPU. So all files that one worker runs share them.
    isolate: false,
    // These limits only catch tests that never end. Tests do not measure speed. A test that takes a second
    // alone can take a minute on a machine that runs this suite twice, and other suites too.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    expect: { poll: { timeout: 100_000 } },
    // A failed comparison says what the value was: its cause and its exit code, not only `…(14)`.
    chaiConfig: { truncateThreshold: 1_000 },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: [
            "packages/*/{src,generate}/**/*.test.ts",
            "test-infra/{images,lima,lint,probe}/**/*.test.ts",
            "test-infra/chaos/tally.test.ts",
          ],
        },
      },
      {
        extends: true,
        test: {
          // Needs a real containerd. Each file starts its own.
          name: "daemon",
          include: [
            "packages/*/test/**/*.test.ts",
            "examples/**/*.test.ts",
            "test-infra/{daemon,remote}/**/*.test.ts",
            // `npm run soak` sets it. It still finds faults, so it is not one of the tests yet.
            ...(process.env["WFE_SOAK_STEPS"] === undefined ? [] : ["test-infra/chaos/soak.test.ts"]),
          ],
        },
      },
      {
        extends: true,
        // Tests the packages as they are published. Needs the built packages, and access to the npm registry.
        test: { name: "pack", include: ["test-infra/pack/*.test.ts"] },
      },
    ],
  },
});
