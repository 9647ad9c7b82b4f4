// A job that was written for dockerode: a container, files in, a command, a file out. First as it was:
//
//   const docker = new Docker();
//   await docker.pull("busybox").then((stream) => finished(stream.resume()));
//   const container = await docker.createContainer({
//     Image: "busybox",
//     Cmd: ["sleep", "infinity"],
//     User: "65534:65534",
//     HostConfig: { Memory: 128 * 1024 * 1024, PidsLimit: 32, NetworkMode: "none", CapDrop: ["ALL"] },
//   });
//   try {
//     await container.start();
//     await container.putArchive(files, { path: "/tmp" });
//
//     const exec = await container.exec({
//       Cmd: ["sh", "count.sh"],
//       WorkingDir: "/tmp",
//       AttachStdout: true,
//       AttachStderr: true,
//     });
//     const stream = await exec.start({});
//     container.modem.demuxStream(stream, process.stdout, process.stderr);
//     await finished(stream);
//     const { ExitCode } = await exec.inspect();
//     console.log("exit code", ExitCode);
//
//     // The answer is a tar archive with one file.
//     const archive = (await container.getArchive({ path: "/tmp/report.txt" })).pipe(extract());
//     for await (const entry of archive) for await (const chunk of entry) process.stdout.write(chunk);
//   } finally {
//     await container.remove({ force: true });
//   }
//
// A time-out is missing: dockerode cannot end a command of `exec`. So is the removal of the container after
// the death of this program. Now with us. Both are there:
import { Readable } from "node:stream";
import { createExecutor } from "@wfe-containerd/executor";
import { pack } from "tar-stream";

const files = pack();
files.entry({ name: "words.txt" }, "one two three\n");
files.entry({ name: "count.sh" }, "wc -w < words.txt > report.txt && echo counted\n");
files.finalize();

await using executor = createExecutor();
// Pulls the image, if it is not there. No network, no capabilities, and the user 65534 are the defaults.
await using container = await executor.open({
  name: "job",
  image: "busybox",
  memory: "128m",
  pidsLimit: 32,
});
await container.files.write(Readable.from(files), { path: "/tmp" });

const { exitCode } = await container.run(
  { command: ["sh", "count.sh"], workingDir: "/tmp", timeoutMs: 60_000 },
  {
    onEvent(event) {
      if (event.type === "output") process[event.stream].write(event.data);
    },
  },
);
console.log("exit code", exitCode);

for await (const chunk of container.files.read("/tmp/report.txt")) process.stdout.write(chunk);
