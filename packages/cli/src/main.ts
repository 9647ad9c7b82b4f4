#!/usr/bin/env sh
import { commandArguments } from "./arguments.js";
import { ignoreLostMessages } from "./output.js";
import { createProgram } from "./program.js";
import { ignoreUserSignals } from "./stop-signals.js";

ignoreUserSignals();
ignoreLostMessages();
try {
  // Loaded on demand, as it brings the client.
  if (process.env["WFE_DEBUG"] !== undefined)
    (await import("@wfe-containerd/client/internal")).printDebugLines();
  const args = commandArguments(process.argv.slice(2));
  // As in docker, who says nothing gets the help.
  await createProgram().parseAsync(args.length === 0 ? ["--help"] : args, { from: "user" });
} catch (reason) {
  // Loaded on demand, with the error classes of the other packages: most calls do not fail.
  const { reportFailure } = await import("./report-failure.js");
  process.exitCode = reportFailure(reason);
}
