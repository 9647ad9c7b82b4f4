import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** The part of esbuild's plugins that is used here; its types are not among our dependencies. */
interface Build {
  onLoad(
    options: { readonly filter: RegExp },
    load: (file: { readonly path: string }) => { readonly contents: string; readonly loader: "ts" },
  ): void;
}

/**
 * Lets the command's imports from another of our packages name the file that they mean, instead of its
 * `index.ts`. For esbuild, whoever imports an index reaches every file behind it, so that all commands would
 * load what only one of them uses. Source: esbuild's `markFileReachableForCodeSplitting`.
 *
 * @param index the source file that the package's name means.
 */
export function directImports(name: string, index: string): { name: string; setup(build: Build): void } {
  const files = exportedFrom(readFileSync(index, "utf8"));
  const statement = new RegExp(`^import \\{([^}]*)\\} from "${name}";`, "gm");
  return {
    name: "direct-imports",
    setup(build) {
      build.onLoad({ filter: /\/packages\/cli\/src\/.*\.ts$/ }, ({ path }) => ({
        contents: readFileSync(path, "utf8").replace(statement, (_, names: string) =>
          listOf(names)
            .filter((each) => !each.startsWith("type "))
            .map((each) => {
              const file = files.get(each.split(" ")[0] ?? "");
              if (file === undefined) throw new Error(`${index} does not export ${each}`);
              return `import { ${each} } from ${JSON.stringify(join(dirname(index), file))};`;
            })
            .join(" "),
        ),
        loader: "ts",
      }));
    },
  };
}

/** The file of each exported value. */
function exportedFrom(index: string): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const [, names = "", file = ""] of index.matchAll(/^export \{([^}]*)\} from "([^"]+)\.js";/gm))
    for (const name of listOf(names)) if (!name.startsWith("type ")) files.set(name, `${file}.ts`);
  return files;
}

function listOf(names: string): string[] {
  return names
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}
