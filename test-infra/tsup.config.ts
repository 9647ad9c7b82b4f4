import { defineConfig } from "tsup";

export default defineConfig({
  // Built for the demo and the benchmarks, which run without TypeScript. Tests use the sources.
  entry: ["images/build.ts", "registry/registry.ts"],
  format: "esm",
  target: "node20",
  clean: true,
  dts: false,
});
