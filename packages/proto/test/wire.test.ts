import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { OptionsSchema } from "@wfe-containerd/proto/runc";
import { expect, test } from "vitest";
import { compileInstalled, compileOwn, wireFacts } from "./descriptors.js";
import { NEWER_THAN_1_6 } from "./newer.js";

test("what containerd's own sources say of the wire, ours say too", async () => {
  const [own, installed] = (await Promise.all([compileOwn(), compileInstalled()])).map(wireFacts) as [
    Map<string, string>,
    Map<string, string>,
  ];
  expect(installed.size).toBeGreaterThan(500);
  const different: Record<string, { theirs: string; ours: string | undefined }> = {};
  for (const [name, theirs] of installed) {
    const ours = own.get(name);
    if (ours !== theirs) different[name] = { theirs, ours };
  }
  expect(different).toEqual({});
});

// The list is relative to 1.6. If the variable names another release, only the first test runs.
test.runIf(process.env["WFE_TEST_CONTAINERD_PROTO_DIR"] === undefined)(
  "what we have beyond containerd 1.6 is listed, with where it comes from",
  async () => {
    const own = [...wireFacts(await compileOwn()).keys()];
    const installed = wireFacts(await compileInstalled());
    const isBelow = (name: string, entry: string): boolean => name === entry || name.startsWith(`${entry}.`);
    const extra = own.filter((name) => !installed.has(name));
    expect(extra.filter((name) => !NEWER_THAN_1_6.some((entry) => isBelow(name, entry)))).toEqual([]);
    // An entry that matches nothing is a mistake, or out of date.
    expect(NEWER_THAN_1_6.filter((entry) => !own.some((name) => isBelow(name, entry)))).toEqual([]);
  },
);

test("a runtime's options travel in an Any under their bare name", () => {
  const options = create(OptionsSchema, { binaryName: "crun", systemdCgroup: true });
  const any = create(AnySchema, { typeUrl: OptionsSchema.typeName, value: toBinary(OptionsSchema, options) });
  expect(any.typeUrl).toBe("containerd.runc.v1.Options");
  // Fields 6 and 9, as containerd's own encoder writes them.
  expect(Buffer.from(any.value).toString("hex")).toBe("32046372756e4801");
  expect(fromBinary(OptionsSchema, any.value)).toEqual(options);
});
