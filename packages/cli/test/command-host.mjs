// Runs calls of the built command, one after the other. Its files are loaded once, and not by each call.
import { Console } from "node:console";
import { PassThrough, Writable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";

const [, , MAIN] = process.argv;
const DIRECTORY = process.cwd();
let made = 0;

/** Keeps what is written until the call ends. What is written later is lost, as from a process that ended. */
function createSink() {
  const chunks = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  return { stream, read: () => Buffer.concat(chunks) };
}

function replaceEnvironment(env) {
  for (const name of Object.keys(process.env)) delete process.env[name];
  for (const [name, value] of Object.entries(env)) if (value !== undefined) process.env[name] = value;
}

/** Runs the command once, as a process of its own would: with its own streams, variables and directory. */
async function runOnce({ args, env, cwd = DIRECTORY, input }) {
  const resources = process.getActiveResourcesInfo().length;
  const [stdout, stderr] = [createSink(), createSink()];
  const stdin = new PassThrough();
  stdin.end(input);
  for (const [name, value] of Object.entries({ stdin, stdout: stdout.stream, stderr: stderr.stream }))
    Object.defineProperty(process, name, { configurable: true, value });
  globalThis.console = new Console({ stdout: stdout.stream, stderr: stderr.stream });
  replaceEnvironment(env);
  process.chdir(cwd);
  // Each argument is marked, as the launcher does it.
  process.argv = [process.execPath, MAIN, ":", ...args.map((argument) => `:${argument}`)];
  process.exitCode = undefined;
  let ended;
  const end = () => {
    ended ??= { code: process.exitCode ?? 0, stdout: stdout.read(), stderr: stderr.read().toString() };
  };
  process.exit = (code = process.exitCode) => {
    process.exitCode = code;
    end();
    // Nothing may run behind it. The command takes this for an error, and prints it when nobody reads it.
    throw new Error("exit");
  };
  // Another address makes `main.js` run again. The files that it imports stay loaded.
  await import(`${pathToFileURL(MAIN)}?${made++}`);
  // A process of its own ends when it has nothing left to do. No event tells when that is so here.
  while (process.getActiveResourcesInfo().length > resources) await delay(1);
  end();
  // The command leaves them to its process.
  for (const signal of ["SIGUSR1", "SIGUSR2"]) process.removeAllListeners(signal);
  return ended;
}

// Node would print warnings to this process's own standard error.
process.removeAllListeners("warning");
process.on("warning", (warning) => process.stderr.write(`${warning.stack}\n`));
process.on("message", async (call) => process.send(await runOnce(call)));
// The test process has ended.
process.on("disconnect", () => process.reallyExit(0));
