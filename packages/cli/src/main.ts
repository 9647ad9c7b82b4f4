#!/usr/bin/env sh
import { printDebugLines } from "@wfe-containerd/client/internal";
import { commandArguments } from "./arguments.js";
import { reportFailure } from "./failure.js";
import { ignoreLostMessages } from "./output.js";
import { createProgram } from "./program.js";
import { ignoreUserSignals } from "./stop-signals.js";

ignoreUserSignals();
ignoreLostMessages();
try {
  printDebugLines();
  await createProgram().parseAsync(commandArguments(process.argv.slice(2)), { from: "user" });
} catch (reason) {
  process.exitCode = reportFailure(reason);
}
