import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseChallenges } from "./challenge.js";

function parse(...headers: string[]): unknown {
  return parseChallenges(headers).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);
}

describe("parseChallenges", () => {
  test("reads what registries send", () => {
    expect(
      parse(
        'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/alpine:pull"',
      ),
    ).toEqual([
      [
        "bearer",
        {
          realm: "https://auth.docker.io/token",
          service: "registry.docker.io",
          scope: "repository:library/alpine:pull",
        },
      ],
    ]);
    expect(parse('Basic realm="Registry Realm"')).toEqual([["basic", { realm: "Registry Realm" }]]);
    expect(parse("BASIC realm=here")).toEqual([["basic", { realm: "here" }]]);
  });

  test("reads a comma inside quotes as part of the value", () => {
    expect(parse('Bearer realm="https://r/t",scope="repository:a:pull,push"')).toEqual([
      ["bearer", { realm: "https://r/t", scope: "repository:a:pull,push" }],
    ]);
  });

  test("reads several challenges, in one header and in many", () => {
    expect(parse('Bearer realm="https://r/t", Basic realm="b"', "Negotiate")).toEqual([
      ["bearer", { realm: "https://r/t" }],
      ["basic", { realm: "b" }],
      ["negotiate", {}],
    ]);
    expect(parse("NTLM TlRMTVNTUAAC==, Basic realm=b")).toEqual([
      ["ntlm", {}],
      ["basic", { realm: "b" }],
    ]);
  });

  test("takes escapes and spaces around the equals sign", () => {
    expect(parse('Basic realm = "a \\"b\\" \\\\ c" , charset="UTF-8"')).toEqual([
      ["basic", { realm: 'a "b" \\ c', charset: "UTF-8" }],
    ]);
  });

  const R = { realm: "https://r/t" };
  const RS = { ...R, service: "s" };
  test.each<[string, unknown]>([
    ['Bearer realm="https://r/t" service="s"', [["bearer", RS]]],
    ['Bearer realm="https://r/t"\tservice="s"', [["bearer", RS]]],
    ['Bearer realm="https://r/t"service="s"', [["bearer", RS]]],
    ['Bearer\trealm="https://r/t",\tservice="s"', [["bearer", RS]]],
    ['bearer realm="https://r/t",service="s",', [["bearer", RS]]],
    ['BEARER   realm="https://r/t" , , service="s" ,', [["bearer", RS]]],
    ['Bearer REALM="https://r/t",Service="s"', [["bearer", RS]]],
    ["Bearer realm=https://r/t,service=s", [["bearer", RS]]],
    ["Bearer realm=https://r/t service=s", [["bearer", RS]]],
    [
      'Bearer realm="https://r/t", error="invalid_token", x-y=7',
      [["bearer", { ...R, error: "invalid_token", "x-y": "7" }]],
    ],
    ['Bearer realm="https://r/t",service=""', [["bearer", { ...R, service: "" }]]],
    ['Bearer realm="https://r/t",service=', [["bearer", { ...R, service: "" }]]],
    ['Bearer realm="https://r/t",realm="https://r/t"', [["bearer", R]]],
    [
      'Bearer realm="https://r/t" Basic realm="b"',
      [
        ["bearer", R],
        ["basic", { realm: "b" }],
      ],
    ],
    [
      'Negotiate Basic realm="b"',
      [
        ["negotiate", {}],
        ["basic", { realm: "b" }],
      ],
    ],
    [
      'Basic, Bearer realm="https://r/t"',
      [
        ["basic", {}],
        ["bearer", R],
      ],
    ],
    ["Basic", [["basic", {}]]],
  ])("is as lenient as Go's clients with %j", (header, expected) => {
    expect(parse(header)).toEqual(expected);
  });

  test.each<[string, unknown]>([
    ['Bearer realm="https://r/t",service="unclosed', [["bearer", R]]],
    ['Bearer realm="https://r/t",@', [["bearer", R]]],
    ['Bearer realm="https://r/t";service="s"', [["bearer", R]]],
    ['Basic realm="b", Bearer realm="unclosed', [["basic", { realm: "b" }]]],
  ])("keeps what stands before a part that cannot be read: %j", (header, expected) => {
    expect(parse(header)).toEqual(expected);
  });

  test("leaves out a challenge that gives a parameter two values", () => {
    expect(parse('Bearer realm="https://good/t",realm="https://evil/t"')).toEqual([]);
    expect(parse('Basic realm=a, Bearer realm="x", REALM="y"')).toEqual([["basic", { realm: "a" }]]);
  });

  test.each(["", ",", " , ,", "=", '"', 'Bearer realm="unclosed', "Bearer realm=a realm=b", "Bearer/x"])(
    "makes nothing of %j",
    (header) => {
      expect(parse(header)).toEqual([]);
    },
  );

  test("reads back every challenge that is written by the grammar", () => {
    const token = fc.stringMatching(/^[a-z][a-z0-9_-]{0,10}$/);
    const value = fc.string({ unit: fc.constantFrom(...'abc XYZ,=\\"/:%é'.split("")), maxLength: 20 });
    const challenge = fc.tuple(token, fc.dictionary(token, value, { minKeys: 1, maxKeys: 4 }));
    fc.assert(
      fc.property(
        fc.array(challenge, { minLength: 1, maxLength: 3 }),
        fc.constantFrom(",", ", ", " , "),
        (given, comma) => {
          const text = given.map(([scheme, parameters]) => {
            const written = Object.entries(parameters).map(
              ([name, of]) => `${name}="${of.replace(/[\\"]/g, "\\$&")}"`,
            );
            return `${scheme} ${written.join(comma)}`;
          });
          expect(parse(text.join(comma))).toEqual(given);
        },
      ),
    );
  });

  test("never throws", () => {
    const messy = fc.string({ unit: fc.constantFrom(...'Bb =",\\ \t/;é\n'.split("")), maxLength: 60 });
    fc.assert(
      fc.property(fc.array(fc.oneof(messy, fc.string())), (headers) =>
        Array.isArray(parseChallenges(headers)),
      ),
    );
  });
});
