import { create, type DescService } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";
import * as containers from "@wfe-containerd/proto/services/containers";
import * as content from "@wfe-containerd/proto/services/content";
import * as diff from "@wfe-containerd/proto/services/diff";
import * as events from "@wfe-containerd/proto/services/events";
import * as images from "@wfe-containerd/proto/services/images";
import * as introspection from "@wfe-containerd/proto/services/introspection";
import * as leases from "@wfe-containerd/proto/services/leases";
import * as namespaces from "@wfe-containerd/proto/services/namespaces";
import * as sandbox from "@wfe-containerd/proto/services/sandbox";
import * as snapshots from "@wfe-containerd/proto/services/snapshots";
import * as streaming from "@wfe-containerd/proto/services/streaming";
import * as tasks from "@wfe-containerd/proto/services/tasks";
import * as transfer from "@wfe-containerd/proto/services/transfer";
import * as version from "@wfe-containerd/proto/services/version";
import { Status } from "@wfe-containerd/proto/types/task";
import { describe, expect, test } from "vitest";
import { createServices, type Services } from "../context.js";
import { createOutage, outageOfDaemon } from "./outage.js";
import { createRepeatingServices } from "./repeat.js";
import { REPEATS } from "./repeats.js";

const DESCRIPTIONS: Record<keyof Services, DescService> = {
  containers: containers.Containers,
  content: content.Content,
  diff: diff.Diff,
  events: events.Events,
  images: images.Images,
  introspection: introspection.Introspection,
  leases: leases.Leases,
  namespaces: namespaces.Namespaces,
  snapshots: snapshots.Snapshots,
  tasks: tasks.Tasks,
  version: version.Version,
  transfer: transfer.Transfer,
  streaming: streaming.Streaming,
  sandboxStore: sandbox.Store,
  sandboxController: sandbox.Controller,
};

type Rule = (typeof RULES)[number];
const RULES = Object.entries(REPEATS).flatMap(([service, methods]) =>
  Object.entries(methods as Record<string, unknown>).map(([method, rule]) => ({
    service: service as keyof Services,
    method,
    rule,
  })),
);
const withRule = (wanted: string): Rule[] => RULES.filter(({ rule }) => rule === wanted);

type Answers = Record<string, Record<string, (request: never) => unknown>>;
type AnyMethod = (request?: unknown) => Promise<unknown>;

/** Services that wait for a daemon, which answers by these functions. Every other call is "not found". */
function servicesOf(answers: Answers): Record<string, Record<string, AnyMethod>> {
  const transport = createRouterTransport(({ service }) => {
    for (const [name, description] of Object.entries(DESCRIPTIONS)) {
      const missing = Object.fromEntries(
        description.methods.map(({ localName }) => [
          localName,
          () => {
            throw new ConnectError("there is none", Code.NotFound);
          },
        ]),
      );
      service(description, { ...missing, ...answers[name] } as never);
    }
  });
  const outage = outageOfDaemon(createOutage(), {
    address: "unix:///a.sock",
    ask: async () => true,
    keepAliveMs: 0,
  });
  return createRepeatingServices(createServices(transport), outage) as never;
}

/** What a daemon's client sees of a daemon that dies. */
function dies(): never {
  throw new ConnectError("it was killed", Code.Canceled);
}

/** Answers with the first function first, then with the second, and so on; counts the calls. */
function script(...answers: ((request: never) => unknown)[]) {
  const scripted = (request: never): unknown => {
    const answer = answers[Math.min(scripted.calls++, answers.length - 1)];
    return answer?.(request);
  };
  scripted.calls = 0;
  return scripted;
}

const missing = (): never => {
  throw new ConnectError("there is none", Code.NotFound);
};
const taken = (): never => {
  throw new ConnectError("it exists", Code.AlreadyExists);
};

test("every call of containerd's API that has one answer has a rule, and streams have none", () => {
  const known = RULES.map(({ service, method }) => `${service}.${method}`);
  const unary = Object.entries(DESCRIPTIONS).flatMap(([service, { methods }]) =>
    methods
      .filter(({ methodKind }) => methodKind === "unary")
      .map(({ localName }) => `${service}.${localName}`),
  );
  expect(known.toSorted()).toEqual(unary.toSorted());
});

test.each(withRule("again"))("$service $method is asked again", async ({ service, method }) => {
  const answer = script(dies, dies, () => ({}));
  await servicesOf({ [service]: { [method]: answer } })[service]?.[method]?.({});
  expect(answer.calls).toBe(3);
});

test.each(withRule("gone"))(
  "$service $method has succeeded if it is not found afterwards",
  async ({ service, method }) => {
    const answer = script(dies, missing);
    const services = servicesOf({ [service]: { [method]: answer } });
    expect(await services[service]?.[method]?.({})).toEqual(create(EmptySchema));
    expect(answer.calls).toBe(2);
    const first = servicesOf({ [service]: { [method]: missing } });
    await expect(first[service]?.[method]?.({})).rejects.toMatchObject({ code: Code.NotFound });
  },
);

test.each(withRule("never"))("$service $method is not asked again", async ({ service, method }) => {
  const answer = script(dies, () => ({}));
  const services = servicesOf({ [service]: { [method]: answer } });
  await expect(services[service]?.[method]?.({})).rejects.toMatchObject({ code: Code.Canceled });
  expect(answer.calls).toBe(1);
});

interface Case {
  readonly service: keyof Services;
  readonly method: string;
  readonly request: object;
  /** What the daemon says when the call has taken effect. */
  readonly there: Answers;
  /** What it says when the call has not. Without this: not found. */
  readonly notThere?: Answers;
  readonly response?: object;
  /** Something else that has the name, with which the look-up is not content. */
  readonly other?: Answers;
}

const container = {
  id: "c",
  image: "i",
  snapshotKey: "k",
  labels: { a: "1" },
  spec: { typeUrl: "t", value: new Uint8Array([1]) },
};
const process = (status: Status, more: object = {}): Answers => ({
  tasks: { get: () => ({ process: { id: "c", pid: 7, status, ...more } }) },
});
const snapshot = (kind: snapshots.Kind, parent = "p") => ({
  snapshots: {
    stat: () => ({ info: { name: "k", kind, parent } }),
    mounts: () => ({ mounts: [{ type: "overlay" }] }),
  },
});
const { Kind } = snapshots;

const CASES: readonly Case[] = [
  {
    service: "containers",
    method: "create",
    request: { container },
    there: { containers: { get: () => ({ container }) } },
    response: { container: { id: "c" } },
    other: { containers: { get: () => ({ container: { ...container, labels: { a: "2" } } }) } },
  },
  {
    service: "images",
    method: "create",
    request: { image: { name: "n", target: { digest: "d" } } },
    there: { images: { get: () => ({ image: { name: "n", target: { digest: "d" } } }) } },
    response: { image: { name: "n" } },
    other: { images: { get: () => ({ image: { name: "n", target: { digest: "e" } } }) } },
  },
  {
    service: "namespaces",
    method: "create",
    request: { namespace: { name: "n", labels: { a: "1" } } },
    there: { namespaces: { get: () => ({ namespace: { name: "n", labels: { a: "1" } } }) } },
    response: { namespace: { name: "n" } },
    other: { namespaces: { get: () => ({ namespace: { name: "n" } }) } },
  },
  {
    service: "leases",
    method: "create",
    request: { id: "l", labels: { a: "1" } },
    there: { leases: { list: () => ({ leases: [{ id: "l", labels: { a: "1" } }] }) } },
    notThere: { leases: { list: () => ({ leases: [] }) } },
    response: { lease: { id: "l" } },
    other: { leases: { list: () => ({ leases: [{ id: "l", labels: {} }] }) } },
  },
  {
    service: "snapshots",
    method: "prepare",
    request: { key: "k", parent: "p" },
    there: snapshot(Kind.ACTIVE),
    response: { mounts: [{ type: "overlay" }] },
    other: snapshot(Kind.ACTIVE, "another"),
  },
  {
    service: "snapshots",
    method: "view",
    request: { key: "k", parent: "p" },
    there: snapshot(Kind.VIEW),
    response: { mounts: [{ type: "overlay" }] },
    other: snapshot(Kind.COMMITTED),
  },
  {
    service: "snapshots",
    method: "commit",
    request: { key: "k", name: "n" },
    there: {
      snapshots: {
        stat: ({ key }: { key: string }) => (key === "n" ? { info: { kind: Kind.COMMITTED } } : missing()),
      },
    },
    notThere: {
      snapshots: {
        stat: ({ key }: { key: string }) => (key === "k" ? { info: { kind: Kind.ACTIVE } } : missing()),
      },
    },
    other: { snapshots: { stat: () => ({ info: { kind: Kind.COMMITTED } }) } },
  },
  {
    service: "tasks",
    method: "create",
    request: { containerId: "c" },
    there: process(Status.CREATED),
    response: { containerId: "c", pid: 7 },
  },
  {
    service: "tasks",
    method: "start",
    request: { containerId: "c" },
    there: process(Status.RUNNING),
    notThere: process(Status.CREATED),
    response: { pid: 7 },
  },
  {
    service: "tasks",
    method: "exec",
    request: { containerId: "c", execId: "e" },
    there: process(Status.CREATED),
  },
  {
    service: "tasks",
    method: "pause",
    request: { containerId: "c" },
    there: process(Status.PAUSED),
    notThere: process(Status.RUNNING),
  },
  {
    service: "tasks",
    method: "resume",
    request: { containerId: "c" },
    there: process(Status.RUNNING),
    notThere: process(Status.PAUSED),
  },
];

function together(...all: (Answers | undefined)[]): Answers {
  const merged: Answers = {};
  for (const each of all)
    for (const [service, methods] of Object.entries(each ?? {}))
      merged[service] = { ...merged[service], ...methods };
  return merged;
}

describe.each(CASES)("$service $method", ({ service, method, request, there, notThere, response = {} }) => {
  const services = (answers: Answers | undefined, own: (request: never) => unknown) =>
    servicesOf(together(answers, { [service]: { [method]: own } }))[service]?.[method]?.(request);

  test("is not made twice if it has taken effect", async () => {
    const own = script(dies, taken);
    expect(await services(there, own)).toMatchObject(response);
    expect(own.calls).toBe(1);
  });

  test.each([["there", there, true] as const, ["not there", notThere, false] as const])(
    "is looked up, but not asked again, if only its deadline passed: %s",
    async (_, answers, isThere) => {
      const own = script(() => {
        throw new ConnectError("no answer", Code.DeadlineExceeded);
      });
      // What the daemon has made of a task by then it removes again.
      const isKept = isThere && `${service}.${method}` !== "tasks.create";
      const outcome = services(answers, own);
      if (isKept) expect(await outcome).toMatchObject(response);
      else await expect(outcome).rejects.toMatchObject({ code: Code.DeadlineExceeded });
      expect(own.calls).toBe(1);
    },
  );

  test("is asked again if it has not", async () => {
    const own = script(dies, () => response);
    expect(await services(notThere, own)).toMatchObject(response);
    expect(own.calls).toBe(2);
  });

  test("has succeeded if it takes effect while it is looked up", async () => {
    let isThere = false;
    const own = script(dies, () => {
      isThere = true;
      return taken();
    });
    const late = Object.fromEntries(
      Object.entries(there).map(([name, methods]) => [
        name,
        Object.fromEntries(
          Object.entries(methods).map(([each, answer]) => [
            each,
            (asked: never) => (isThere ? answer(asked) : (notThere?.[name]?.[each] ?? missing)(asked)),
          ]),
        ),
      ]),
    );
    expect(await services(late, own)).toMatchObject(response);
    expect(own.calls).toBe(2);
  });
});

test.each(CASES.filter(({ other }) => other !== undefined))(
  "$service $method is refused if the name was taken by something else",
  async ({ service, method, request, other }) => {
    const own = { [service]: { [method]: script(dies, taken) } };
    const asked = servicesOf(together(other, own))[service]?.[method]?.(request);
    await expect(asked).rejects.toMatchObject({ code: Code.AlreadyExists });
  },
);

test("each call that is looked up is tested", () => {
  const lookedUp = RULES.filter(({ rule }) => typeof rule === "object").map(
    (each) => `${each.service}.${each.method}`,
  );
  const tested = CASES.map(({ service, method }) => `${service}.${method}`);
  expect(lookedUp.toSorted()).toEqual(
    [...tested, "tasks.delete", "tasks.deleteProcess", "tasks.wait"].toSorted(),
  );
});

test("a task that a cut client's daemon is still removing is made again when it is gone", async () => {
  const own = script(dies, taken, taken, () => ({ containerId: "c", pid: 9 }));
  const { tasks: made } = servicesOf({ tasks: { create: own } });
  expect(await made?.["create"]?.({ containerId: "c" })).toMatchObject({ pid: 9 });
  expect(own.calls).toBe(4);
});

describe.each(["delete", "deleteProcess"])("tasks.%s", (method) => {
  const stopped = () => ({ process: { id: "c", pid: 7, status: Status.STOPPED, exitStatus: 3 } });
  const services = (get: (request: never) => unknown, own: (request: never) => unknown) =>
    servicesOf({ tasks: { get, [method]: own } })["tasks"]?.[method]?.({ containerId: "c" });

  test("gives the exit code that was read before, if the answer was lost", async () => {
    const own = script(dies, missing);
    expect(await services(script(stopped, missing), own)).toMatchObject({ exitStatus: 3 });
    expect(own.calls).toBe(1);
  });

  test("is asked again if it has not taken effect", async () => {
    expect(
      await services(
        stopped,
        script(dies, () => ({ exitStatus: 3 })),
      ),
    ).toMatchObject({ exitStatus: 3 });
  });

  test("says that the exit code is lost, and makes none up", async () => {
    const running = () => ({ process: { id: "c", status: Status.RUNNING } });
    await expect(services(script(running, missing), script(dies, missing))).rejects.toMatchObject({
      code: Code.DataLoss,
    });
  });
});

test("an added process that may have been started is not started again", async () => {
  const start = (status: Status, own: (request: never) => unknown) =>
    servicesOf(together(process(status), { tasks: { start: own } }))["tasks"]?.["start"]?.({
      containerId: "c",
      execId: "e",
    });
  const own = script(dies, taken);
  await expect(start(Status.CREATED, own)).rejects.toMatchObject({ code: Code.DataLoss });
  expect(own.calls).toBe(1);
  expect(await start(Status.RUNNING, script(dies, taken))).toMatchObject({ pid: 7 });
});

test("an end that the daemon has forgotten is lost, and not waited for again", async () => {
  const wait = (answers: Answers["tasks"]) =>
    servicesOf({ tasks: answers ?? {} })["tasks"]?.["wait"]?.({ containerId: "c" });
  await expect(wait({ wait: script(dies, missing) })).rejects.toMatchObject({ code: Code.DataLoss });
  await expect(wait({ wait: missing })).rejects.toMatchObject({ code: Code.NotFound });
  const running = () => ({ process: { status: Status.RUNNING } });
  expect(await wait({ get: running, wait: script(dies, () => ({ exitStatus: 5 })) })).toMatchObject({
    exitStatus: 5,
  });
});
