#!/usr/bin/env sh
import { commandArguments } from "./arguments.js";
import { reportFailure } from "./failure.js";
import { createProgram } from "./program.js";

try {
  await createProgram().parseAsync(commandArguments(process.argv.slice(2)), { from: "user" });
} catch (reason) {
  process.exitCode = reportFailure(reason);
}
