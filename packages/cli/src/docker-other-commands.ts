/** Commands of docker that this command does not have, and what to do instead. */
const INSTEAD: Readonly<Record<string, string>> = {
  build: "build the image with docker build or buildah, then: docker save IMAGE | wfe-containerd load",
  commit:
    "build the image from a Dockerfile instead; what a step should keep goes into a volume (-v NAME:/path)",
  compose: "put the steps into a step file: wfe-containerd step FILE",
  container: "the commands stand alone: ps, inspect, stop, kill, rm",
  context: "name the daemon with --address, or in WFE_CONTAINERD_ADDR",
  create: "run creates the container and starts it",
  diff: "put what you want to see into a volume or a bind mount: run -v ./out:/out",
  image: "the commands stand alone: images, pull, push, rmi, prune, history",
  info: "doctor checks the daemon and its machine, version prints the versions",
  network: "choose the network of a step: run --network none, bridge or host",
  port: "steps publish no ports; processes on the daemon's machine reach a step on the bridge by its address",
  rename: "give the name at the start: run --name NAME",
  restart: "a step runs once; run it again",
  search: "search on the registry's web page",
  start: "a step runs once; run it again",
  system: "the commands stand alone: prune, volume prune, gc, events",
  update: "give the limits at the start: run -m 512m --cpus 2",
};

/** The same for the commands of a command. */
const BELOW: Readonly<Record<string, string>> = {
  "volume create": "the first step that uses a volume makes it: run -v NAME:/path",
  "volume inspect": "volume ls prints what is known: volume ls --format json",
  "volume update": "volumes have no settings",
};

/**
 * Returns what to say instead of commander's message about an unknown command, if it is a command of docker.
 *
 * @param text commander's message.
 * @param parent the command that the unknown one was given to. Default: the program itself.
 */
export function otherCommandWord(text: string, parent?: string): string | undefined {
  const [, word = ""] = /^error: unknown command '([a-z]+)'/.exec(text) ?? [];
  const name = parent === undefined ? word : `${parent} ${word}`;
  const known = parent === undefined ? INSTEAD : BELOW;
  if (!Object.hasOwn(known, name)) return undefined;
  return `wfe-containerd: there is no command ${name}; ${known[name]}\n`;
}
