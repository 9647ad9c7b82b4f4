/** The part of esbuild's plugins that is used here; its types are not among our dependencies. */
interface Build {
  onResolve(
    options: { readonly filter: RegExp },
    resolve: (request: {
      readonly path: string;
      readonly importer: string;
    }) => { readonly path: string; readonly namespace: string } | undefined,
  ): void;
  onLoad(
    options: { readonly filter: RegExp; readonly namespace: string },
    load: () => { readonly contents: string },
  ): void;
}

const NAMESPACE = "unused-modules";

/**
 * Leaves modules out of the bundle that a package requires and we never use. Whoever requires one gets an
 * empty module.
 *
 * @param importer matches the files that require them.
 * @param modules matches what these files require.
 */
export function unusedModules(
  importer: RegExp,
  modules: RegExp,
): { name: string; setup(build: Build): void } {
  return {
    name: NAMESPACE,
    setup(build) {
      build.onResolve({ filter: modules }, (request) =>
        importer.test(request.importer) ? { path: request.path, namespace: NAMESPACE } : undefined,
      );
      build.onLoad({ filter: /./, namespace: NAMESPACE }, () => ({ contents: "" }));
    },
  };
}
