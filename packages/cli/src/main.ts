#!/usr/bin/env node
import { reportFailure } from "./failure.js";
import { createProgram } from "./program.js";

try {
  await createProgram().parseAsync();
} catch (reason) {
  process.exitCode = reportFailure(reason);
}
