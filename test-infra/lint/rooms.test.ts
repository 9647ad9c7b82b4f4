import { expect, test } from "vitest";
import { findWrongImports } from "../../scripts/rooms.mjs";

const source = (file: string, specifier: string) => ({
  file: `packages/${file}`,
  text: `import { it } from "${specifier}";\n`,
});

test.each([
  ["client/src/registry/upload.ts", "../oci/digest.js"],
  ["client/src/registry/upload.ts", "./endpoint.js"],
  ["client/src/transfer/pull.ts", "../registry/repository.js"],
  ["client/src/image/resolve.ts", "../context.js"],
  ["client/src/private-daemon/daemon.ts", "../connect.js"],
  ["client/src/images.ts", "./transfer/pull.js"],
  ["executor/src/process/create-task.ts", "../resources/release.js"],
  ["executor/src/core/step/step.ts", "../spec/spec.js"],
  ["executor/src/stages/resolve.ts", "../volumes/open-volumes.js"],
  ["executor/src/run-step.ts", "./process/run-process.js"],
])("%s may import %s", (file, specifier) => {
  expect(findWrongImports([source(file, specifier)])).toEqual([]);
});

test.each([
  ["client/src/registry/upload.ts", "../content/content.js"],
  ["client/src/registry/upload.ts", "../context.js"],
  ["client/src/oci/digest.ts", "../concurrency/clock.js"],
  ["client/src/image/resolve.ts", "../transfer/pull.js"],
  ["client/src/image/resolve.ts", "../images.js"],
  ["executor/src/core/step/step.ts", "../../machine/facts.js"],
  ["executor/src/resources/release.ts", "../process/create-task.js"],
  ["executor/src/resources/release.ts", "../stages/context.js"],
  ["executor/src/io/file.ts", "../run-step.js"],
])("%s may not import %s", (file, specifier) => {
  expect(findWrongImports([source(file, specifier)])).toEqual([
    expect.stringContaining(`packages/${file} imports ${specifier}: `),
  ]);
});
