import { refuse } from "../refuse.js";
import { isDigest } from "./digest.js";

/** The name of an image in a registry, in its parts. */
export interface Reference {
  /** `docker.io`, `localhost:5000`. */
  readonly domain: string;
  /** `library/alpine`. */
  readonly path: string;
  readonly tag?: string | undefined;
  readonly digest?: string | undefined;
}

const DOMAIN =
  /^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::\d{1,5})?$/;
const PATH = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
/** A digest without its algorithm. docker uses it as an image ID, but it is not a name. */
const IDENTIFIER = /^[a-f0-9]{64}$/;
const MAX_NAME_LENGTH = 255;
const ALLOWED = "[registry[:port]/]name[:tag][@digest], with the name in lower case, for example alpine:3.20";

/**
 * Reads an image reference by the grammar of the distribution project. A short name is completed: `alpine` is
 * `docker.io/library/alpine:latest`.
 *
 * @throws ContainerdError `invalid-argument`.
 */
export function parseReference(text: string): Reference {
  const reject = (problem: string): never =>
    refuse(`image: ${JSON.stringify(withoutCredentials(text).slice(0, 300))} ${problem}`, ALLOWED);
  if (text.includes("://")) reject("starts with a scheme, such as https://");
  if (IDENTIFIER.test(text)) reject("is a digest without its algorithm");
  const [beforeDigest = "", digest, ...more] = text.split("@");
  if (more.length > 0) reject("has more than one @");
  if (digest !== undefined && !isDigest(digest)) reject("has an invalid digest");
  const slash = beforeDigest.indexOf("/");
  const first = slash === -1 ? "" : beforeDigest.slice(0, slash);
  const hasDomain = isRegistry(first);
  const domain = hasDomain ? (first === "index.docker.io" ? "docker.io" : first) : "docker.io";
  const rest = hasDomain ? beforeDigest.slice(slash + 1) : beforeDigest;
  const colon = rest.indexOf(":");
  const name = colon === -1 ? rest : rest.slice(0, colon);
  const tag = colon === -1 ? undefined : rest.slice(colon + 1);
  const path = domain === "docker.io" && !name.includes("/") ? `library/${name}` : name;
  if (!DOMAIN.test(domain)) reject("has an invalid registry");
  if (name !== name.toLowerCase()) reject("has upper case letters in its name");
  if (!PATH.test(path)) reject("is not an image reference");
  if (tag !== undefined && !TAG.test(tag)) reject("has an invalid tag");
  if (domain.length + 1 + path.length > MAX_NAME_LENGTH)
    reject(`has a name of more than ${MAX_NAME_LENGTH} characters`);
  const latest = tag === undefined && digest === undefined ? "latest" : tag;
  return {
    domain,
    path,
    ...(latest !== undefined && { tag: latest }),
    ...(digest !== undefined && { digest }),
  };
}

/**
 * Replaces text before an `@` with `…`, because it may contain a password. Text before the `@` of a digest
 * stays. A digest contains no slash: an `@sha256:` with a slash after it does not count as one.
 */
export function withoutCredentials(text: string): string {
  return text.replace(/^([a-z]+:\/\/)?.*@(?=[^@]*(?:\/|$))(?!sha(?:256|512):[^/]*$)/s, "$1…@");
}

/** Writes the full name, as containerd names images: `docker.io/library/alpine:latest`. */
export function formatReference({ domain, path, tag, digest }: Reference): string {
  return `${domain}/${path}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}

/** Writes the short name: `alpine`. {@link parseReference} reads it back to the same reference. */
export function familiarReference(reference: Reference): string {
  const { domain, path, tag, digest } = reference;
  const name = domain === "docker.io" ? withoutHub(path) : `${domain}/${path}`;
  return `${name}${tag === undefined || (tag === "latest" && digest === undefined) ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}

function withoutHub(path: string): string {
  const [first = "", ...rest] = path.split("/");
  const [second = "", ...more] = rest;
  if (first === "library" && second !== "" && more.length === 0)
    return IDENTIFIER.test(second) ? path : second;
  // Without `docker.io/`, this part would be read as a registry.
  return isRegistry(first) && rest.length > 0 ? `docker.io/${path}` : path;
}

/**
 * Whether the text before the first slash is a registry. If not, it is the first part of a name on Docker
 * Hub.
 */
function isRegistry(first: string): boolean {
  return /[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase();
}

/**
 * Completes a short name: `alpine` becomes `docker.io/library/alpine:latest`.
 *
 * @throws ContainerdError `invalid-argument`.
 */
export function normalizeReference(text: string): string {
  return formatReference(parseReference(text));
}
