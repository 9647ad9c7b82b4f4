import { defineConfig } from "tsup";

export default defineConfig({
  entry: ["src/gen/**/*.ts"],
  format: "esm",
  target: "node20",
  sourcemap: true,
  clean: true,
  // One output per generated file, as the exports map names them; nothing to bundle.
  bundle: false,
  outDir: "dist/gen",
  dts: false,
});
