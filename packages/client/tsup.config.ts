import { defineConfig } from "tsup";

export default defineConfig({
  entry: ["src/index.ts", "src/private-daemon/daemon.ts"],
  format: "esm",
  target: "node20",
  sourcemap: true,
  clean: true,
  // Declarations come from tsc: tsup's own need TypeScript's JavaScript API, which TypeScript 7 no longer has.
  dts: false,
});
