import {
  findCommit,
  findContainer,
  findImage,
  findLease,
  findNamespace,
  findPrepared,
  findView,
} from "./look-up.js";
import {
  findCreatedTask,
  findExec,
  findPaused,
  findResumed,
  findStarted,
  findWaited,
  rememberExit,
  rememberExitOfProcess,
} from "./look-up-task.js";
import type { Repeats } from "./rule.js";

/** How each unary call of containerd's API is repeated after an outage. */
export const REPEATS: Repeats = {
  containers: {
    get: "again",
    list: "again",
    create: findContainer,
    update: "again",
    delete: "gone",
  },
  content: {
    info: "again",
    update: "again",
    delete: "gone",
    status: "again",
    listStatuses: "again",
    abort: "gone",
  },
  // The same archive on the same directory gives the same files, and the differ empties its ingest first.
  diff: { apply: "again", diff: "again" },
  // A second publication would be a second event.
  events: { publish: "never", forward: "never" },
  images: { get: "again", list: "again", create: findImage, update: "again", delete: "gone" },
  introspection: { plugins: "again", server: "again", pluginInfo: "again" },
  leases: {
    create: findLease,
    delete: "gone",
    list: "again",
    addResource: "again",
    deleteResource: "gone",
    listResources: "again",
  },
  namespaces: { get: "again", list: "again", create: findNamespace, update: "again", delete: "gone" },
  snapshots: {
    prepare: findPrepared,
    view: findView,
    mounts: "again",
    commit: findCommit,
    remove: "gone",
    stat: "again",
    update: "again",
    usage: "again",
    cleanup: "again",
  },
  tasks: {
    create: findCreatedTask,
    start: findStarted,
    delete: rememberExit,
    deleteProcess: rememberExitOfProcess,
    get: "again",
    list: "again",
    kill: "again",
    exec: findExec,
    resizePty: "again",
    closeIO: "again",
    pause: findPaused,
    resume: findResumed,
    listPids: "again",
    // It writes content under a new name each time, and this package does not use it.
    checkpoint: "never",
    update: "again",
    metrics: "again",
    wait: findWaited,
  },
  version: { version: "again" },
  // Its streams for progress and credentials end with the connection. The pull as a whole can be repeated.
  transfer: { transfer: "never" },
  streaming: {},
  // This package does not use sandboxes. What only reads may be repeated.
  sandboxStore: { create: "never", update: "never", delete: "never", list: "again", get: "again" },
  sandboxController: {
    create: "never",
    start: "never",
    platform: "again",
    stop: "never",
    wait: "again",
    status: "again",
    shutdown: "never",
    metrics: "again",
    update: "never",
  },
};
