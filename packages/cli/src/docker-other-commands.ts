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

/**
 * Returns what to say instead of commander's message about an unknown command, if it is a command of docker.
 *
 * @param text commander's message.
 */
export function otherCommandWord(text: string): string | undefined {
  const [, name = ""] = /^error: unknown command '([a-z]+)'/.exec(text) ?? [];
  if (!Object.hasOwn(INSTEAD, name)) return undefined;
  return `wfe-containerd: there is no command ${name}; ${INSTEAD[name]}\n`;
}
