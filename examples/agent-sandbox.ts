// A sandbox for code that nobody has read, such as the code of an AI agent. It has no network, and limits for
// time, memory, CPU, processes and disk. Files go in, commands run one after the other, a file comes out. The
// sandbox closes itself when it is idle.
import { Readable } from "node:stream";
import { createExecutor } from "@wfe-containerd/executor";
import { pack } from "tar-stream";

await using executor = createExecutor();

// Without other fields, a session has no network, no capabilities, and the user 65534.
await using session = await executor.open(
  {
    name: "agent",
    image: "busybox:latest",
    workingDir: "/work",
    readOnly: true,
    tmpfs: ["/work:size=32m"],
    memory: "128m",
    cpu: 0.5,
    pidsLimit: 32,
  },
  { idleTimeoutMs: 5 * 60_000, lifetimeMs: 60 * 60_000 },
);

const project = pack();
project.entry({ name: "words.txt" }, "one two three\n");
project.entry({ name: "count.sh" }, "wc -w < words.txt > report.txt && echo counted\n");
project.finalize();
await session.files.write(Readable.from(project), { path: "/work" });

const commands = [
  { run: "sh count.sh" },
  { run: "wget -q http://192.0.2.1/" },
  { run: "head -c 64m /dev/zero > large" },
  { run: "sleep 600", timeoutMs: 1_000 },
];
for (const { run, timeoutMs = 60_000 } of commands) {
  const { cause, exitCode, stdout } = await session.run({ run, timeoutMs, maxLogBytes: "1m" });
  console.log(`${run}: ${cause} ${exitCode} ${stdout.trim()}`);
}

let report = "";
for await (const chunk of session.files.read("/work/report.txt")) report += Buffer.from(chunk).toString();
console.log(`report: ${report.trim()}`);

// The agent is silent from now on.
await session.extend({ idleTimeoutMs: 100 });
console.log((await session.ended).reason);
