import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createFileRegistry, type DescField, type FileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

const run = promisify(execFile);
const OWN = fileURLToPath(new URL("../proto", import.meta.url));
const BUF = fileURLToPath(new URL("../../../node_modules/.bin/buf", import.meta.url));

/**
 * The Go sources of Debian 12's packages, as the set-up unpacks them. A variable can name another release's.
 */
const CACHED = fileURLToPath(new URL("../../../.cache/debian/bookworm-sources/tree", import.meta.url));
const GO_SOURCES = join(process.env["WFE_TEST_CONTAINERD_PROTO_DIR"] ?? CACHED, "usr/share/gocode/src");

/**
 * Paths of containerd's own sources to compile: the API, and the options of the runtimes. ttrpc is left out:
 * only daemon and shim speak it.
 */
const API =
  /^github\.com\/containerd\/containerd(?:\/v2)?\/(?:api\/(?!services\/ttrpc|runtime|.*\/bootstrap)|runtime\/v2\/runc\/options|pkg\/runtimeoptions|protobuf\/plugin)/;
const CGROUPS = /^github\.com\/containerd\/cgroups\/.*metrics\.proto$/;

/** Compiles our sources. */
export async function compileOwn(): Promise<FileRegistry> {
  return compile(OWN);
}

/** Compiles the sources that Debian's packages install. */
export async function compileInstalled(): Promise<FileRegistry> {
  const found = (await readdir(GO_SOURCES, { recursive: true }).catch(() => [])).filter(
    (path) => path.endsWith(".proto") && (API.test(path) || CGROUPS.test(path)),
  );
  if (!found.some((path) => path.endsWith("services/tasks/v1/tasks.proto"))) {
    throw new Error(
      `there are no .proto files of containerd in ${GO_SOURCES}: node scripts/setup.mjs --tests`,
    );
  }
  const workspace = await mkdtemp(join(tmpdir(), "wire-"));
  try {
    for (const path of found) {
      const source = await readFile(join(GO_SOURCES, path), "utf8");
      const target = join(workspace, path);
      await mkdir(dirname(target), { recursive: true });
      // Later releases use import paths that start at the API's root.
      const prefix = /^(github\.com\/containerd\/containerd(?:\/v2)?\/api\/)/.exec(path)?.[1] ?? "";
      const imports = source
        .replaceAll(/^(\s*import (?:weak )?")(types\/)/gm, `$1${prefix}$2`)
        .replaceAll('"github.com/gogo/protobuf/gogoproto/', '"gogoproto/');
      await writeFile(target, imports);
    }
    for (const [from, to] of [
      ["github.com/gogo/protobuf/gogoproto/gogo.proto", "gogoproto/gogo.proto"],
      ["github.com/gogo/googleapis/google/rpc/status.proto", "google/rpc/status.proto"],
    ] as const) {
      const wanted = await anyImports(workspace, to);
      if (!wanted) continue;
      await mkdir(dirname(join(workspace, to)), { recursive: true });
      await cp(join(GO_SOURCES, from), join(workspace, to));
    }
    return await compile(workspace);
  } finally {
    await rm(workspace, { recursive: true });
  }
}

async function anyImports(workspace: string, path: string): Promise<boolean> {
  for (const file of await readdir(workspace, { recursive: true })) {
    if (file.endsWith(".proto") && (await readFile(join(workspace, file), "utf8")).includes(`"${path}"`))
      return true;
  }
  return false;
}

async function compile(directory: string): Promise<FileRegistry> {
  const { stdout } = await run(
    BUF,
    ["build", directory, "--as-file-descriptor-set", "-o", "-#format=binpb"],
    {
      encoding: "buffer",
      maxBuffer: 64 * 1024 * 1024,
      // Run outside the checkout, so that its configuration is not used.
      cwd: tmpdir(),
    },
  );
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, stdout));
}

/** containerd's packages; not Google's or gogo's. */
const OURS = /^(?:containerd\.|runtimeoptions\.|io\.containerd\.)/;
/** An option in containerd's event files. It controls how filters see a field, and is not on the wire. */
const NOT_WIRE = /^containerd\.plugin\.|\.fieldpath/;

/**
 * Messages that moved to another package with the same fields. The wire contains a message's name only in an
 * Any, and no Any contains these.
 */
const MOVED: Readonly<Record<string, string>> = {
  "containerd.services.events.v1.Envelope": "containerd.types.Envelope",
};
const nameOf = (typeName: string): string => MOVED[typeName] ?? typeName;

/**
 * Lists everything that is on the wire: name -> meaning. Two programs that give one name different meanings
 * cannot talk to each other.
 */
export function wireFacts(registry: FileRegistry): Map<string, string> {
  const facts = new Map<string, string>();
  for (const type of registry) {
    if (!OURS.test(type.typeName) || NOT_WIRE.test(type.typeName)) continue;
    if (type.kind === "message") {
      facts.set(nameOf(type.typeName), "message");
      for (const field of type.fields)
        facts.set(`${nameOf(type.typeName)}.${field.name}`, describeField(field));
    } else if (type.kind === "enum") {
      facts.set(type.typeName, "enum");
      for (const { name, number } of type.values)
        facts.set(`${type.typeName}.${name}`, `enum value ${number}`);
    } else if (type.kind === "service") {
      facts.set(type.typeName, "service");
      for (const { name, methodKind, input, output } of type.methods) {
        facts.set(
          `${type.typeName}.${name}`,
          `${methodKind} rpc (${nameOf(input.typeName)}) returns (${nameOf(output.typeName)})`,
        );
      }
    }
  }
  return facts;
}

function describeField(field: DescField): string {
  const { proto, oneof } = field;
  const type =
    field.fieldKind === "map"
      ? `map<${field.mapKey}, ${field.message?.typeName ?? field.enum?.typeName ?? field.scalar}>`
      : `${field.fieldKind === "list" ? "repeated " : ""}${field.message === undefined ? (field.enum?.typeName ?? `scalar ${field.scalar}`) : nameOf(field.message.typeName)}`;
  const packed = field.fieldKind === "list" && field.packed ? " packed" : "";
  return `${proto.number} ${type}${packed}${oneof === undefined ? "" : ` in oneof ${oneof.name}`}`;
}
