#!/usr/bin/env sh
import { commandArguments } from "./arguments.js";
import { reportFailure } from "./failure.js";
import { ignoreLostMessages } from "./output.js";
import { createProgram } from "./program.js";
import { ignoreUserSignals } from "./stop-signals.js";

ignoreUserSignals();
ignoreLostMessages();
try {
  await createProgram().parseAsync(commandArguments(process.argv.slice(2)), { from: "user" });
} catch (reason) {
  process.exitCode = reportFailure(reason);
}
