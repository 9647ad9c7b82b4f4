import { defineConfig } from "tsup";

export default defineConfig({
  entry: ["src/index.ts", "src/diagnostics/opentelemetry/instrument.ts"],
  format: "esm",
  target: "node20",
  sourcemap: true,
  clean: true,
  // Declarations come from tsc: tsup needs TypeScript's JavaScript API for them, which TypeScript 7 lacks.
  dts: false,
});
