import { CALL_OPTIONS, type CallOptions, callService } from "./call.js";
import type { Context } from "./context.js";
import { checkIdentifier, checkLabels } from "./identifier.js";
import type { NounOptions } from "./options.js";

/** One of containerd's namespaces. Each has its own images, containers and content. */
export interface Namespace {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Options of {@link Namespaces.create}. */
export interface CreateNamespaceOptions extends CallOptions {
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/**
 * containerd's namespaces (`services/namespaces/v1`): all of them, not only the client's own. A namespace is
 * made when something is first created in it. {@link Namespaces.create} is needed only to give it labels.
 */
export interface Namespaces {
  list(options?: CallOptions): Promise<Namespace[]>;
  /**
   * Creates an empty namespace.
   *
   * @throws ContainerdError `already-exists`.
   */
  create(name: string, options?: CreateNamespaceOptions): Promise<Namespace>;
  /**
   * Sets these labels and leaves the others unchanged. An empty value removes the label.
   *
   * @throws ContainerdError `not-found`.
   */
  setLabels(name: string, labels: Readonly<Record<string, string>>, options?: CallOptions): Promise<void>;
  /**
   * Deletes an empty namespace.
   *
   * @throws ContainerdError `not-found`; `failed-precondition` while anything is left in it.
   */
  delete(name: string, options?: CallOptions): Promise<void>;
}

export const NAMESPACES_OPTIONS: NounOptions<Namespaces> = {
  list: ["0", CALL_OPTIONS],
  create: ["1", { ...CALL_OPTIONS, labels: true }],
  setLabels: ["2", CALL_OPTIONS],
  delete: ["1", CALL_OPTIONS],
};

export function createNamespaces({ services: { namespaces } }: Context): Namespaces {
  return {
    list: (options) =>
      callService("list namespaces", async () => {
        const response = await namespaces.list({}, options);
        return response.namespaces.map(({ name, labels }) => ({ name, labels }));
      }),
    async create(name, { labels, ...options } = {}) {
      const namespace = { name: checkIdentifier("namespace", name), labels: checkLabels(labels) };
      await callService(`create namespace ${name}`, () => namespaces.create({ namespace }, options));
      return namespace;
    },
    async setLabels(name, labels, options) {
      const paths = Object.keys(labels).map((label) => `labels.${label}`);
      const namespace = { name: checkIdentifier("namespace", name), labels: checkLabels(labels) };
      await callService(`label namespace ${name}`, () =>
        namespaces.update({ namespace, updateMask: { paths } }, options),
      );
    },
    async delete(name, options) {
      checkIdentifier("namespace", name);
      await callService(`delete namespace ${name}`, () => namespaces.delete({ name }, options));
    },
  };
}
