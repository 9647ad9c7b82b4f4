type Fields = Readonly<Record<string, unknown>>;

const isMap = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Other tools' files that look like step files. Each has a sign that step files do not have. The first match
 * wins.
 */
const KINDS: readonly (readonly [name: string, sign: string, fits: (file: Fields) => boolean])[] = [
  [
    "a CircleCI configuration",
    "jobs and version",
    ({ jobs, version }) => isMap(jobs) && version !== undefined,
  ],
  ["an Azure pipeline", "trigger or pool", (file) => ["trigger", "pool"].some((key) => key in file)],
  ["a GitHub workflow", "jobs", ({ jobs }) => jobs !== undefined],
  ["a GitHub workflow", "on", (file) => "on" in file],
  ["a GitHub action", "runs", ({ runs }) => isMap(runs)],
  ["a Docker Compose file", "services", ({ services }) => isMap(services)],
  [
    "a Kubernetes manifest",
    "apiVersion and kind",
    ({ apiVersion, kind }) => apiVersion !== undefined && kind !== undefined,
  ],
  ["a Drone pipeline", "kind: pipeline", ({ kind }) => kind === "pipeline"],
  ["a Bitbucket pipeline", "pipelines", ({ pipelines }) => isMap(pipelines)],
  ["a Taskfile", "tasks", ({ tasks }) => isMap(tasks)],
  ["a package.json", "scripts", ({ scripts }) => isMap(scripts)],
  ["a GitLab CI file", "stages", ({ stages }) => Array.isArray(stages)],
  ["a GitLab CI file", "script", (file) => Object.values(file).some((job) => isMap(job) && "script" in job)],
  [
    "a Travis CI configuration",
    "script and language",
    ({ script, language }) => script !== undefined && language !== undefined,
  ],
];

/**
 * Names the kind of a file that is not a step file, for an error message.
 *
 * @returns undefined when the kind is not known, or the file looks like a step.
 */
export function foreignKind(value: unknown, text: string): string | undefined {
  if (isMap(value)) {
    const isStep = "image" in value && ("run" in value || "name" in value || "command" in value);
    const kind = isStep ? undefined : KINDS.find(([, , fits]) => fits(value));
    return kind && `${kind[0]} (it has ${kind[1]})`;
  }
  if (/^(?:\s*#[^\n]*\n|\s*\n|ARG [^\n]*\n)*FROM \S/i.test(text)) return "a Dockerfile";
  return text.startsWith("#!") ? "a script" : undefined;
}
