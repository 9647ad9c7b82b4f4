import type { CommandEntry } from "./command-entry.js";

const STEPS = "Steps:";
const IMAGES = "Images:";
const REGISTRIES = "Registries:";
const DAEMON = "The daemon and its machine:";
const OTHER = "Other:";

/** All commands, in the order of the help. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: "run",
    group: STEPS,
    summary: "run a command in a new container",
    operands: "image",
    load: async () => (await import("./command/run.js")).defineRun,
  },
  {
    name: "step",
    group: STEPS,
    summary: "run a step file",
    operands: "file",
    load: async () => (await import("./command/step.js")).defineStep,
  },
  {
    name: "ps",
    group: STEPS,
    summary: "list steps",
    load: async () => (await import("./command/ps.js")).definePs,
  },
  {
    name: "inspect",
    group: STEPS,
    summary: "print everything about steps or images",
    operands: "step-or-image",
    load: async () => (await import("./command/inspect.js")).defineInspect,
  },
  {
    name: "top",
    group: STEPS,
    summary: "list the processes of a step",
    operands: "running-step",
    load: async () => (await import("./command/top.js")).defineTop,
  },
  {
    name: "stats",
    group: STEPS,
    summary: "show what steps use: CPU, memory, disk, processes",
    operands: "running-step",
    load: async () => (await import("./command/stats.js")).defineStats,
  },
  {
    name: "wait",
    group: STEPS,
    summary: "wait until steps have ended, and print their exit codes",
    operands: "running-step",
    load: async () => (await import("./command/wait.js")).defineWait,
  },
  {
    name: "stop",
    group: STEPS,
    summary: "end steps: the stop signal, then SIGKILL",
    operands: "running-step",
    load: async () => (await import("./command/stop.js")).defineStop,
  },
  {
    name: "kill",
    group: STEPS,
    summary: "send a signal to steps",
    operands: "running-step",
    load: async () => (await import("./command/kill.js")).defineKill,
  },
  {
    name: "pause",
    group: STEPS,
    summary: "freeze all processes of steps",
    operands: "running-step",
    load: async () => (await import("./command/pause.js")).definePause,
  },
  {
    name: "unpause",
    group: STEPS,
    summary: "let paused steps go on",
    operands: "running-step",
    load: async () => (await import("./command/pause.js")).defineUnpause,
  },
  {
    name: "rm",
    group: STEPS,
    summary: "kill steps, and remove everything that they use",
    operands: "step",
    load: async () => (await import("./command/rm.js")).defineRm,
  },
  {
    name: "volume",
    group: STEPS,
    summary: "manage volumes and caches: directories that steps keep",
    operands: "volume",
    load: async () => (await import("./command/volume.js")).defineVolume,
  },
  {
    name: "images",
    group: IMAGES,
    summary: "list images",
    operands: "image",
    load: async () => (await import("./command/images.js")).defineImages,
  },
  {
    name: "pull",
    group: IMAGES,
    summary: "fetch an image from its registry",
    load: async () => (await import("./command/pull.js")).definePull,
  },
  {
    name: "push",
    group: IMAGES,
    summary: "send an image to its registry",
    operands: "image",
    load: async () => (await import("./command/push.js")).definePush,
  },
  {
    name: "tag",
    group: IMAGES,
    summary: "give an image another name",
    operands: "image",
    load: async () => (await import("./command/tag.js")).defineTag,
  },
  {
    name: "history",
    group: IMAGES,
    summary: "show how an image was built",
    operands: "image",
    load: async () => (await import("./command/history.js")).defineHistory,
  },
  {
    name: "rmi",
    group: IMAGES,
    summary: "remove images",
    operands: "image",
    load: async () => (await import("./command/rmi.js")).defineRmi,
  },
  {
    name: "prune",
    group: IMAGES,
    summary: "remove the images that no container uses",
    load: async () => (await import("./command/prune.js")).definePrune,
  },
  {
    name: "import",
    group: IMAGES,
    summary: "import the images of a tar",
    operands: "file",
    load: async () => (await import("./command/import.js")).defineImport,
  },
  {
    name: "export",
    group: IMAGES,
    summary: "write images to a tar",
    operands: "image",
    load: async () => (await import("./command/export.js")).defineExport,
  },
  {
    name: "load",
    group: IMAGES,
    summary: "import with docker's flags",
    load: async () => (await import("./command/load.js")).defineLoad,
  },
  {
    name: "save",
    group: IMAGES,
    summary: "export with docker's flags",
    operands: "image",
    load: async () => (await import("./command/save.js")).defineSave,
  },
  {
    name: "login",
    group: REGISTRIES,
    summary: "store the password for a registry",
    load: async () => (await import("./command/login.js")).defineLogin,
  },
  {
    name: "logout",
    group: REGISTRIES,
    summary: "remove the password for a registry",
    load: async () => (await import("./command/logout.js")).defineLogout,
  },
  {
    name: "doctor",
    group: DAEMON,
    summary: "check that steps can run, and say what to do if not",
    load: async () => (await import("./command/doctor.js")).defineDoctor,
  },
  {
    name: "events",
    group: DAEMON,
    summary: "print what happens on the daemon",
    load: async () => (await import("./command/events.js")).defineEvents,
  },
  {
    name: "gc",
    group: DAEMON,
    summary: "remove what dead processes of this machine left",
    load: async () => (await import("./command/gc.js")).defineGc,
  },
  {
    name: "version",
    group: DAEMON,
    summary: "print our version and the daemon's",
    load: async () => (await import("./command/version.js")).defineVersion,
  },
  {
    name: "daemon",
    group: DAEMON,
    summary: "run a private containerd in the foreground",
    load: async () => (await import("./command/daemon.js")).defineDaemon,
  },
  {
    name: "schema",
    group: OTHER,
    summary: "print the JSON Schema of step files",
    load: async () => (await import("./command/schema.js")).defineSchema,
  },
  {
    name: "completion",
    group: OTHER,
    summary: "print a script that lets a shell complete this command",
    operands: "shell",
    load: async () => (await import("./command/completion.js")).defineCompletion,
  },
  {
    name: "__complete",
    group: OTHER,
    summary: "print the words that can stand next; the completion scripts call it",
    isHidden: true,
    load: async () => {
      const { defineComplete } = await import("./command/complete.js");
      return (command) => defineComplete(command, COMMANDS);
    },
  },
];
