import { describe, expect, test } from "vitest";
import { createClient } from "./connect.js";
import { CONTAINERS_OPTIONS } from "./container.js";
import { CONTENT_OPTIONS } from "./content/content.js";
import { EVENTS_OPTIONS } from "./event/event.js";
import { IMAGES_OPTIONS } from "./images.js";
import { INTROSPECTION_OPTIONS } from "./introspection.js";
import { LEASES_OPTIONS } from "./lease/lease.js";
import { NAMESPACES_OPTIONS } from "./namespace.js";
import { checkOptions, type OptionNames, withDefaults } from "./options.js";
import { startDaemon } from "./private-daemon/daemon.js";
import { dockerCredentials, eraseDockerCredential, storeDockerCredential } from "./registry/docker-config.js";
import { hostsFromDirectories } from "./registry/hosts.js";
import { checkRegistryLogin } from "./registry/login.js";
import { SNAPSHOTS_OPTIONS } from "./snapshot.js";
import { TASKS_OPTIONS } from "./task/task.js";

/** A program without types. */
// biome-ignore lint/suspicious/noExplicitAny: it may give anything.
type Any = any;
const any = (value: unknown): Any => value;

interface Example {
  readonly timeoutMs?: number | undefined;
  readonly address?: string | undefined;
  readonly retry?: { readonly firstDelayMs?: number | undefined } | (() => void) | undefined;
}
const NAMES: OptionNames<Example> = { timeoutMs: true, address: true, retry: { firstDelayMs: true } };
const check = (options: unknown) => checkOptions("example", any(options), NAMES);

test.each([
  [{ timeout: 1 }, 'example: unknown option "timeout"; did you mean timeoutMs?'],
  [{ adress: "" }, 'example: unknown option "adress"; did you mean address?'],
  [{ timeout_ms: 1 }, 'example: unknown option "timeout_ms"; did you mean timeoutMs?'],
  [{ colour: 1 }, 'example: unknown option "colour"; allowed: timeoutMs, address, retry'],
  [{ a: 1, adres: 1 }, /"a"; allowed: .*; unknown option "adres"; did you mean address\?$/],
  [{ retry: { firstDelay: 1 } }, /unknown option "retry.firstDelay"; did you mean firstDelayMs\?$/],
  [{ retry: 3 }, "example: retry: is not an object; allowed: firstDelayMs"],
  [null, "example: options: is not an object; allowed: timeoutMs, address, retry"],
  ["/run/containerd.sock", /options: is not an object/],
  [["timeoutMs"], /options: is not an object/],
  [JSON.parse('{ "__proto__": 1 }'), /unknown option "__proto__"/],
  [{ constructor: 1 }, /unknown option "constructor"/],
])("%j is refused", (options, message) => {
  expect(() => check(options)).toThrow(expect.objectContaining({ kind: "invalid-argument" }));
  expect(() => check(options)).toThrow(message);
});

test("known options are accepted, and an option that is undefined counts as not given", () => {
  for (const options of [
    undefined,
    {},
    { timeoutMs: 1, address: "a", retry: { firstDelayMs: 1 } },
    { retry: () => undefined },
    { timeoutMs: undefined, retry: undefined, colour: undefined },
    { retry: { firstDelayMs: undefined } },
  ])
    check(options);
  expect(withDefaults({ a: 1, b: 2 }, { a: undefined, b: 3 })).toEqual({ a: 1, b: 3 });
  expect(withDefaults({ a: 1 })).toEqual({ a: 1 });
});

describe("every function that takes options refuses unknown ones, before anything is sent", () => {
  const client = createClient({ address: "/no/such.sock" });
  const refusal = expect.objectContaining({
    kind: "invalid-argument",
    message: expect.stringMatching(/^[\w.]+: unknown option "nonsense"; allowed: /),
  });
  const nonsense = any({ nonsense: 1 });

  test.each(
    Object.entries({
      containers: CONTAINERS_OPTIONS,
      content: CONTENT_OPTIONS,
      events: EVENTS_OPTIONS,
      images: IMAGES_OPTIONS,
      introspection: INTROSPECTION_OPTIONS,
      leases: LEASES_OPTIONS,
      namespaces: NAMESPACES_OPTIONS,
      snapshots: SNAPSHOTS_OPTIONS,
      tasks: TASKS_OPTIONS,
    }).flatMap(([noun, table]) =>
      Object.entries<readonly [string, unknown, "throws"?]>(any(table)).map(
        ([method, [index, , throws]]) => [`${noun}.${method}`, noun, method, Number(index), throws] as const,
      ),
    ),
  )("client.%s", async (_, noun, method, index, throws) => {
    const args = Array.from({ length: index + 1 }, (_, at) => (at === index ? nonsense : any("x")));
    const call = () => any(client)[noun][method](...args);
    if (throws === "throws") expect(call).toThrow(refusal);
    else await expect(call()).rejects.toEqual(refusal);
  });

  test("all others", async () => {
    expect(() => createClient(nonsense)).toThrow(refusal);
    expect(() => client.with(nonsense)).toThrow(refusal);
    await expect(client.version(nonsense)).rejects.toEqual(refusal);
    await expect(startDaemon(nonsense)).rejects.toEqual(refusal);
    expect(() => dockerCredentials(nonsense)).toThrow(refusal);
    expect(() => hostsFromDirectories(nonsense)).toThrow(refusal);
    const credential = { username: "u", password: "p" };
    await expect(storeDockerCredential("a.example", credential, nonsense)).rejects.toEqual(refusal);
    await expect(eraseDockerCredential("a.example", nonsense)).rejects.toEqual(refusal);
    await expect(checkRegistryLogin("a.example", credential, nonsense)).rejects.toEqual(refusal);
  });

  test("options of options too", async () => {
    expect(() => createClient(any({ tls: { cacert: "" } }))).toThrow(/"tls.cacert"; did you mean/);
    await expect(client.images.pull("a", any({ hosts: { plainhttp: [] } }))).rejects.toThrow(
      /"hosts.plainhttp"; did you mean plainHttp\?/,
    );
    await expect(client.images.push("a", any({ timeouts: { connect: 1 } }))).rejects.toThrow(
      /"timeouts.connect"; did you mean connectMs\?/,
    );
    await expect(client.containers.create(any({ id: "a", spec: {}, runtime: { nam: "" } }))).rejects.toThrow(
      /"runtime.nam"; did you mean name\?/,
    );
  });
});
