import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FUZZ_RUNS, type FuzzTarget, feedLong, fuzz } from "@wfe-containerd/test-infra/fuzz";
import { mutatedJson } from "@wfe-containerd/test-infra/fuzz/mutation";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isContainerdError } from "./error.js";
import { checkIdentifier, checkLabels } from "./identifier.js";
import { parseDescriptor } from "./oci/descriptor.js";
import { checkDigest } from "./oci/digest.js";
import { parseImageConfig, parseIndexOrManifest } from "./oci/manifest.js";
import { MEDIA_TYPES } from "./oci/media-type.js";
import { parsePlatform, rankPlatform } from "./oci/platform.js";
import { familiarReference, parseReference } from "./oci/reference.js";
import { parseChallenges } from "./registry/challenge.js";
import { parseContentRange } from "./registry/content-range.js";
import { dockerCredentials } from "./registry/docker-config.js";
import { parseHostsFile } from "./registry/hosts-file.js";
import { redirectTarget } from "./registry/redirect.js";
import { parseAddress } from "./transport/address.js";

const options = { isRefusal: (reason: unknown) => isContainerdError(reason) };
const DIGEST = `sha256:${"0123456789abcdef".repeat(4)}`;
const LAYER = { mediaType: MEDIA_TYPES.layerGzip, digest: DIGEST, size: 3, annotations: { a: "b" } };
const CONFIG = { mediaType: MEDIA_TYPES.config, digest: DIGEST, size: 2 };
const toJson = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) => (typeof each === "bigint" ? String(each) : each)) ?? "null";
const toBytes = (value: unknown): Uint8Array => Buffer.from(toJson(value));
const nowhere = new Set<string>();

const TARGETS: readonly FuzzTarget[] = [
  {
    name: "reference",
    samples: [
      "alpine",
      `user@x/app:1@${DIGEST}`.replace("user@x", "host.example:5000"),
      "[::1]:5000/a/b_c:T",
    ],
    parse: (text: string) => familiarReference(parseReference(text)),
  },
  { name: "digest", samples: [DIGEST], parse: (text: string) => checkDigest("digest", text) },
  {
    name: "platform",
    samples: ["linux/amd64", "linux/arm/v7", "windows/amd64/v2"],
    parse: (text: string) => [parsePlatform(text), rankPlatform(parsePlatform(text), parsePlatform(text))],
  },
  {
    name: "address",
    samples: [
      "/run/c.sock",
      "unix:///run/c.sock",
      "tcp://127.0.0.1:1",
      "https://[::1]:2500",
      "http://localhost:1",
    ],
    parse: (text: string) => parseAddress(text),
  },
  {
    name: "identifier",
    samples: ["a.b-c_d", "default"],
    parse: (text: string) => checkIdentifier("id", text),
  },
  {
    name: "hosts.toml",
    samples: [
      'server = "https://a.example"\n[host."https://b.example/v2/x"]\ncapabilities = ["pull", "resolve"]\nca = "a.pem"\n',
      '[host."http://c.example"]\nskip_verify = true\noverride_path = true\nclient = [["a", "b"]]\ndial_timeout = "1m30s"\n[host."http://c.example".header]\nx = ["1", "2"]\n',
    ],
    parse: (text: string) => parseHostsFile("hosts.toml", text),
  },
  {
    name: "challenge",
    samples: [
      'Bearer realm="https://a.example/token",service="s",scope="repository:a:pull"',
      'Basic realm="a\\"b", NTLM TlRM=',
    ],
    parse: (text: string) => parseChallenges([text, text]),
  },
  {
    name: "content-range",
    samples: ["bytes 0-9/10", "bytes 5-6/*"],
    parse: (text: string) => parseContentRange(text),
  },
  {
    name: "redirect",
    samples: ["/blobs/1?sig=a", "https://cdn.example/x", "//other.example/y", "../z"],
    parse: (text: string) => redirectTarget(new URL("https://registry.example.com/v2/"), text, nowhere),
  },
  {
    name: "manifest as text",
    samples: [JSON.stringify({ schemaVersion: 2, config: CONFIG, layers: [LAYER] })],
    parse: (text: string) =>
      parseIndexOrManifest({ ...CONFIG, mediaType: MEDIA_TYPES.manifest }, Buffer.from(text)),
  },
  {
    name: "manifest",
    samples: [{ schemaVersion: 2, mediaType: MEDIA_TYPES.manifest, config: CONFIG, layers: [LAYER, LAYER] }],
    parse: (value: unknown) =>
      parseIndexOrManifest({ ...CONFIG, mediaType: MEDIA_TYPES.manifest }, toBytes(value)),
  },
  {
    name: "index",
    samples: [
      {
        schemaVersion: 2,
        manifests: [{ ...CONFIG, platform: { os: "linux", architecture: "arm", variant: "v7" } }],
      },
    ],
    parse: (value: unknown) =>
      parseIndexOrManifest({ ...CONFIG, mediaType: MEDIA_TYPES.index }, toBytes(value)),
  },
  {
    name: "image config",
    samples: [
      {
        os: "linux",
        architecture: "amd64",
        config: { User: "0", Env: ["A=1"], Cmd: null },
        rootfs: { diff_ids: [DIGEST] },
      },
    ],
    parse: (value: unknown) => parseImageConfig(DIGEST, toBytes(value)),
  },
  {
    name: "descriptor",
    samples: [LAYER],
    parse: (value: unknown) => parseDescriptor("layer", JSON.parse(toJson(value))),
  },
  {
    name: "labels",
    samples: ["containerd.io/x", "a"],
    parse: (text: string) => checkLabels({ [text]: "x", a: text }),
  },
];

describe("nothing is thrown but refusals", () => {
  test.each(TARGETS)("$name", (target) => fuzz(target, options));
});

describe("a lot of anything comes to an end", () => {
  const texts = TARGETS.filter(({ samples }) => samples.every((sample) => typeof sample === "string"));
  test.each(texts)("$name", (target) => feedLong(target, options));
});

describe("docker's config", () => {
  const auth = Buffer.from("user:secret-canary-password").toString("base64");
  const samples = [
    {
      auths: {
        "https://index.docker.io/v1/": { auth },
        "a.example": { username: "u", password: "secret-canary" },
      },
    },
    {
      auths: { "a.example": { identitytoken: "secret-canary" } },
      credHelpers: { "b.example": "x" },
      credsStore: "",
    },
  ];
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "fuzz-"));
  });
  afterAll(() => rm(directory, { recursive: true }));

  test("gives a credential, or is refused without a word of what it holds", async () => {
    // This PATH has no credential helper.
    const find = dockerCredentials({ directory, env: { PATH: directory } });
    await fc.assert(
      fc.asyncProperty(
        mutatedJson(samples),
        fc.constantFrom("docker.io", "a.example"),
        async (config, host) => {
          await writeFile(join(directory, "config.json"), toJson(config));
          const thrown: unknown = await find(host).then(
            () => undefined,
            (reason: unknown) => reason,
          );
          expect(thrown === undefined || isContainerdError(thrown)).toBe(true);
          expect(String(thrown)).not.toMatch(/secret-canary|c2VjcmV0/);
        },
      ),
      { numRuns: FUZZ_RUNS },
    );
  });
});
