import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hasApt } from "./machine.mjs";
import { CACHE, capture, Trouble } from "./process.mjs";

/** Part of Debian. On Ubuntu the package debian-archive-keyring installs it. */
export const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/**
 * Unpacks the .proto files of a suite's containerd and of its imports. The test of the wire format compares
 * our .proto files with them.
 */
export function unpackSources(suite, options = {}) {
  // The API of containerd 2.x is a separate package. The other one still has 1.x, for programs that need it.
  const containerd = suite === "sid" ? "containerd-containerd-api" : "containerd-containerd";
  const names = [containerd, "containerd-cgroups", "gogo-protobuf", "gogo-googleapis"];
  const packages = names.map((name) => `golang-github-${name}-dev`);
  return unpackDebian({ name: `${suite}-sources`, suite, packages, ...options });
}

/**
 * Downloads packages of a Debian suite and unpacks them in the cache. They are not installed. apt gets its
 * own lists and sources for this; those of the machine are neither read nor changed.
 *
 * @param {{ name: string, suite: string, packages: string[], fresh?: boolean }} options `name`: of the
 *   directory in the cache; `fresh`: download even if the cache has them.
 * @returns {Promise<string>} The directory with the unpacked packages.
 * @throws Trouble when the packages cannot be downloaded.
 */
export async function unpackDebian({ name, suite, packages, fresh = false }) {
  const directory = join(CACHE, "debian", name);
  const done = join(directory, "done.json");
  const tree = join(directory, "tree");
  const wanted = JSON.stringify(packages);
  if (!fresh && (await readFile(done, "utf8").catch(() => "")) === wanted) return tree;
  if (!hasApt()) throw new Trouble("there is no apt-get here to download Debian's packages with");

  await rm(directory, { recursive: true, force: true });
  const downloads = join(directory, "downloads");
  for (const path of [tree, downloads, join(directory, "lists/partial")])
    await mkdir(path, { recursive: true });
  const configuration = await writeConfiguration(directory, suite);
  await apt(["update"], configuration, directory);
  await apt(["download", ...packages], configuration, downloads);
  for (const each of packages) await unpack(each, downloads, tree);
  for (const path of [downloads, join(directory, "lists")]) await rm(path, { recursive: true, force: true });
  await writeFile(done, wanted);
  return tree;
}

/**
 * Makes a small Debian with debootstrap (the smallest variant that has apt), as a tar in the cache. Tests
 * make an image of it. The package files of `kept` are in its `/repository`, for apt to install.
 *
 * @returns {Promise<string>} The tar's path.
 * @throws Trouble when the packages cannot be downloaded.
 */
export async function bootstrapDebian({ suite, kept }) {
  const directory = join(CACHE, "debian", `${suite}-image`);
  const tar = join(directory, "layer.tar");
  const done = join(directory, "done.json");
  const wanted = JSON.stringify(kept);
  if ((await readFile(done, "utf8").catch(() => "")) === wanted) return tar;
  console.log(`Making a small Debian (${suite}) in .cache, for tests of what distributions need`);
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  const tree = join(directory, "tree");
  await run("debootstrap", ["--variant=minbase", `--keyring=${KEYRING}`, suite, tree, await findMirror()]);
  const files = join(tree, "repository");
  await mkdir(files);
  for (const name of kept)
    await run("sh", ["-c", 'mv "$0"/var/cache/apt/archives/"$1"_*.deb "$2"', tree, name, files]);
  const left = [
    "var/cache/apt/archives",
    "var/lib/apt/lists",
    "usr/share/doc",
    "usr/share/locale",
    "dev",
    "proc",
    "sys",
  ];
  await run("tar", [
    "--create",
    "--numeric-owner",
    "--sort=name",
    ...left.map((path) => `--exclude=./${path}/*`),
    ...["--directory", tree, "--file", tar, "."],
  ]);
  await rm(tree, { recursive: true, force: true });
  await writeFile(done, wanted);
  return tar;
}

/**
 * Finds the mirror that this machine's apt uses, if it is a Debian mirror. Else DEBIAN_MIRROR must name one.
 */
async function findMirror() {
  if (process.env.DEBIAN_MIRROR) return process.env.DEBIAN_MIRROR;
  const { stdout } = await capture("apt-get", [
    "indextargets",
    "--format",
    "$(REPO_URI)",
    "Created-By: Packages",
  ]);
  const mirror = stdout.split("\n").find((uri) => /\/debian\/?$/.test(uri));
  if (mirror !== undefined) return mirror;
  // Only the owner of the machine can say which mirror to trust.
  throw new Trouble(
    "Tests download Debian's packages of containerd, and this machine's apt knows no mirror of Debian. Name one: " +
      "DEBIAN_MIRROR=http://deb.debian.org/debian, if you trust that.",
  );
}

/** Writes a configuration that apt reads after the machine's own, so proxies and certificates still apply. */
async function writeConfiguration(directory, suite) {
  await writeFile(
    join(directory, "sources.list"),
    `deb [signed-by=${KEYRING}] ${await findMirror()} ${suite} main\n`,
  );
  // An empty status: otherwise apt could choose a newer version that is installed on this machine.
  await writeFile(join(directory, "status"), "");
  const path = join(directory, "apt.conf");
  await writeFile(
    path,
    [
      "#clear APT::Update;", // the programs that this machine runs after an update
      'APT::Default-Release "";',
      'APT::Update::Error-Mode "any";', // an unreachable mirror is an error
      'APT::Sandbox::User "root";',
      'Acquire::Retries "5";',
      `Dir::Etc::SourceList "${join(directory, "sources.list")}";`,
      'Dir::Etc::SourceParts "/dev/null";',
      'Dir::Etc::Preferences "/dev/null";',
      'Dir::Etc::PreferencesParts "/dev/null";',
      `Dir::State::Lists "${join(directory, "lists")}";`,
      `Dir::State::status "${join(directory, "status")}";`,
      `Dir::Cache "${join(directory, "cache")}";`,
      "",
    ].join("\n"),
  );
  return path;
}

async function apt(args, configuration, cwd) {
  const { code, stderr } = await capture("apt-get", ["--config-file", configuration, "--quiet", ...args], {
    cwd,
  });
  if (code !== 0)
    throw new Trouble(`apt-get ${args.join(" ")}: ${stderr.trim().split("\n").slice(-3).join("; ")}`);
}

async function unpack(name, downloads, tree) {
  const script = 'for file in "$0"/"$1"_*.deb; do dpkg-deb --extract "$file" "$2" || exit 1; done';
  await run("sh", ["-c", script, downloads, name, tree]);
}

async function run(command, args) {
  const { code, stdout, stderr } = await capture(command, args);
  if (code !== 0)
    throw new Trouble(`${command} failed: ${`${stdout}${stderr}`.trim().split("\n").slice(-3).join("; ")}`);
}
