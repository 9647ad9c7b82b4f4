// Which room of a package may import which (ARCHITECTURE.md). `npm test` and `pnpm lint` run this check.
import { readFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { capture, ROOT, story, Trouble } from "./process.mjs";

/**
 * What the files of each room may import, besides their own room: `rooms` lists other rooms, `top` lists
 * files at the top of the package (without `top`: all). Rooms that are not listed, and files at the top, may
 * import everything.
 */
const ROOMS = {
  "packages/client/src": {
    oci: { rooms: [], top: ["error", "refuse"] },
    concurrency: { rooms: [], top: ["error", "call"] },
    diagnostics: { rooms: ["oci"], top: ["error", "options", "refuse"] },
    transport: { rooms: ["concurrency", "diagnostics"], top: ["error", "explain", "refuse"] },
    registry: {
      rooms: ["oci", "concurrency", "diagnostics"],
      top: ["error", "refuse", "call", "options", "explain", "zstd", "byte-reader"],
    },
    outage: { rooms: ["transport", "concurrency", "diagnostics"] },
    content: { rooms: ["transport", "concurrency", "outage"] },
    lease: { rooms: [] },
    task: { rooms: ["concurrency"] },
    event: { rooms: ["concurrency"] },
    image: { rooms: ["oci", "content", "lease", "concurrency"] },
    transfer: { rooms: ["oci", "content", "lease", "image", "registry", "concurrency", "diagnostics"] },
    "private-daemon": { rooms: [] },
  },
  "packages/executor/src": {
    core: { rooms: [], top: ["error", "error-kind"] },
    machine: { rooms: ["core"] },
    io: { rooms: ["core", "machine"] },
    log: { rooms: ["core", "io"] },
    image: { rooms: ["core", "machine"] },
    diagnostics: {
      rooms: ["core", "log", "record"],
      top: ["error", "error-kind", "event", "options", "unreleased"],
    },
    resources: { rooms: ["core", "machine", "io", "diagnostics"] },
    volumes: { rooms: ["core", "machine", "resources"] },
    process: { rooms: ["core", "machine", "io", "resources"] },
    snapshots: { rooms: ["core", "image", "resources", "process"] },
    record: { rooms: ["core", "machine", "resources", "process", "diagnostics"] },
    stages: {
      rooms: [
        "core",
        "machine",
        "image",
        "io",
        "log",
        "resources",
        "volumes",
        "snapshots",
        "process",
        "record",
      ],
    },
  },
};

/** Files that put the rooms together. No room may import them. */
const STORY = ["run-step", "executor", "handle", "index", "connect", "images"];

/**
 * Finds the imports that a room may not have.
 *
 * @param {readonly { file: string, text: string }[]} sources Paths from the root of the checkout.
 * @returns {string[]} A line for each such import.
 */
export function findWrongImports(sources) {
  return sources.flatMap(({ file, text }) => {
    const from = roomOf(file);
    const rules = from && ROOMS[from.packageRoot][from.room];
    if (rules === undefined) return [];
    return [...text.matchAll(/\bfrom "(\.{1,2}\/[^"]+)"/g)].flatMap(([, specifier]) => {
      const path = posix.join(posix.dirname(file), specifier);
      const problem = problemWith(path, from, rules);
      return problem === undefined ? [] : [`${file} imports ${specifier}: ${problem}`];
    });
  });
}

function problemWith(path, from, { rooms, top }) {
  const to = roomOf(path);
  if (to === undefined) {
    const name = posix.basename(path, ".js");
    if (STORY.includes(name) && !(from.room === "private-daemon" && name === "connect"))
      return `${name} puts the rooms together; no room imports it`;
    if (top === undefined || top.includes(name)) return undefined;
    return `${from.room}/ may import these files at the top: ${top.join(", ")}`;
  }
  if (to.room === from.room || rooms.includes(to.room)) return undefined;
  return `${from.room}/ may import ${rooms.length === 0 ? "no other room" : `these rooms: ${rooms.join(", ")}`}`;
}

/** @returns Undefined for a file at the top of a package, or outside of the packages. */
function roomOf(path) {
  const packageRoot = Object.keys(ROOMS).find((root) => path.startsWith(`${root}/`));
  const [room, ...rest] = packageRoot === undefined ? [] : path.slice(packageRoot.length + 1).split("/");
  return rest.length === 0 ? undefined : { packageRoot, room };
}

/** Checks every source file of the packages. Tests may import from any room. */
export async function checkRooms() {
  const roots = Object.keys(ROOMS);
  const { stdout } = await capture("git", [
    "ls-files",
    "--cached",
    "--others",
    "--exclude-standard",
    ...roots,
  ]);
  const files = stdout.split("\n").filter((file) => /(?<!\.test)\.ts$/.test(file));
  const sources = await Promise.all(
    files.map(async (file) => ({ file, text: await readFile(join(ROOT, file), "utf8") })),
  );
  const wrong = findWrongImports(sources);
  for (const line of wrong) console.error(line);
  return { passed: wrong.length === 0 ? 1 : 0, failed: wrong.length, failures: wrong };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await story(async () => {
    const { failed } = await checkRooms();
    if (failed > 0) throw new Trouble("see ARCHITECTURE.md for the rooms");
  });
}
