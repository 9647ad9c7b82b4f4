import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { UsageError } from "../failure.js";
import { compileTemplate } from "./render.js";

const DATA = {
  id: "wfe-1",
  step: "build",
  image: "alpine:3.20",
  size: 12,
  state: { status: "running", pid: 7, running: true, health: null },
  config: { env: ["A=1", "B=2"], labels: { "com.example.team": "ci", b: "2" }, cmd: [] },
};

const fill = (template: string, data: unknown = DATA): string => compileTemplate(template)(data);

// What Go's text/template gives for the same template and data.
test.each([
  ["", ""],
  ["plain", "plain"],
  ["{{.ID}}", "wfe-1"],
  ["{{ .State.Pid }} {{.state.pid}}", "7 7"],
  ["{{.ID}}\t{{.Image}}", "wfe-1\talpine:3.20"],
  ["{{json .State}}", '{"status":"running","pid":7,"running":true,"health":null}'],
  ["{{json .}}", JSON.stringify(DATA)],
  ["{{.Config.Env}}", "[A=1 B=2]"],
  ["{{.Config.Labels}}", "map[b:2 com.example.team:ci]"],
  ["{{range .Config.Env}}{{println .}}{{end}}", "A=1\nB=2\n"],
  ["{{range $i, $e := .Config.Env}}{{$i}}={{$e}};{{end}}", "0=A=1;1=B=2;"],
  ["{{range $k, $v := .Config.Labels}}{{$k}}:{{$v}} {{end}}", "b:2 com.example.team:ci "],
  ["{{range .Config.Cmd}}x{{else}}none{{end}}", "none"],
  ["{{range .Config.Env}}{{$.ID}} {{end}}", "wfe-1 wfe-1 "],
  ["{{if .State.Running}}yes{{else}}no{{end}}", "yes"],
  ["{{if .Config.Cmd}}a{{else if eq .State.Pid 7}}b{{else}}c{{end}}", "b"],
  ["{{with .State}}{{.Status}}{{end}}", "running"],
  ["{{with .Config.Cmd}}x{{else}}no command{{end}}", "no command"],
  ["{{with $x := .State}}{{$x.Pid}}{{end}}", "7"],
  ["{{$p := .State.Pid}}{{$p}}", "7"],
  ['{{index .Config.Env 1}} {{index .Config.Labels "com.example.team"}}', "B=2 ci"],
  ['[{{index .Config.Labels "none"}}]', "[]"],
  ['{{join .Config.Env ","}}', "A=1,B=2"],
  ['{{.Config.Env | len}} {{len .ID}} {{.Step | upper | printf "%s!"}}', "2 5 BUILD!"],
  ['{{printf "%-8s|%3d|%q|%%" .Step .Size .ID}}', 'build   | 12|"wfe-1"|%'],
  ["{{if and .State.Running (gt .Size 10)}}big{{end}}", "big"],
  ["{{if or .Config.Cmd (not .State.Running)}}a{{else}}b{{end}}", "b"],
  [
    '{{eq .Step "a" "build"}} {{ne .Step "a"}} {{lt 2 10}} {{le 2 2}} {{ge .Size 13}}',
    "true true true true false",
  ],
  ["{{(index .Config.Env 0)}} {{(.State).Pid}}", "A=1 7"],
  ["a {{- .Size -}} b", "a12b"],
  ["{{/* a comment */}}x{{- /* another */ -}} y", "xy"],
  ['{{"a\\tb\\"c"}} {{`raw\\t`}} {{true}} {{1.5}}', 'a\tb"c raw\\t true 1.5'],
  [
    '{{title "one two"}} {{split "a-b" "-"}} {{truncate .ID 3}} {{pad .Size 1 2}}|',
    "One Two [a b] wfe  12  |",
  ],
  ['{{print "a" 1}}', "a1"],
  ["{{.State.Health}}", "<no value>"],
  ["{ {} }} {", "{ {} }} {"],
])("%j gives %j", (template, expected) => {
  expect(fill(template)).toBe(expected);
});

describe("what is not valid is told with what is allowed", () => {
  test.each([
    ["{{.Nme}}", /\.Nme: the value has no field of that name; allowed: \.id, \.step/],
    ["{{.State.Nope}}", /\.Nope: the value has no field of that name; allowed: \.status, \.pid/],
    ["{{.ID.x}}", /\.x: the value wfe-1 has no fields/],
    ["{{ID}}", /ID is not a function of these templates; allowed: .*json.*; a field begins with a dot: \.ID/],
    ["{{if false}}{{bogus 1}}{{end}}", /bogus is not a function/],
    ["{{.ID", /has no end/],
    ["{{", /has no end/],
    ["{{}}", /a value is missing/],
    ["{{.ID |}}", /a value is missing/],
    ["{{(.ID}}", /a closing parenthesis is missing/],
    ["{{.ID)}}", /"\)" is not valid here/],
    ["{{.ID # }}", /the last character is not valid here/],
    ["{{if .ID}}x", /its end is missing/],
    ["{{range .Config.Env}}{{else}}", /its end is missing/],
    ["{{end}}", /it closes nothing/],
    ["{{range .ID}}{{end}}", /wfe-1 is neither a list nor a map/],
    ["{{$x}}", /\$x: the variable is not set/],
    ["{{.ID .Step}}", /a value with other values behind it/],
    ["{{index .Config.Env 2}}", /the list has no element 2; allowed: 0 to 1/],
    ["{{join .ID}}", /join: the value is not a list/],
    ["{{len 3}}", /len: the value has no length/],
    ["{{.constructor}}", /the value has no field of that name/],
    ["{{.__proto__}}", /the value has no field of that name/],
    ["{{constructor}}", /constructor is not a function/],
    [`${"{{if .ID}}".repeat(200)}${"{{end}}".repeat(200)}`, /nested too deep/],
    [`{{${"(".repeat(200)}.ID${")".repeat(200)}}}`, /nested too deep/],
  ])("%j", (template, message) => {
    expect(() => fill(template)).toThrow(UsageError);
    expect(() => fill(template)).toThrow(message);
  });
});

test("control characters of the data do not reach the terminal", () => {
  expect(fill("{{.x}}|{{json .x}}", { x: "a\x1b[2Jb\r" })).toBe('a\\x1b[2Jb\\x0d|"a\\u001b[2Jb\\r"');
});

test("a field may be a method, as docker's .Label", () => {
  expect(fill('{{.Label "a"}}', { Label: (key: unknown) => `value of ${key}` })).toBe("value of a");
});

test("no template, however odd, fails with anything but a word about it", () => {
  const pieces = fc.constantFrom(
    ...[
      "{{",
      "}}",
      "{{-",
      "-}}",
      ".",
      ".ID",
      "$",
      "$x",
      ":=",
      "|",
      "(",
      ")",
      ",",
      " ",
      '"',
      "`",
      "if ",
      "range ",
    ],
    ...[
      "else",
      "end",
      "with ",
      "json ",
      "index ",
      "len ",
      "1",
      "-2",
      "nil",
      "/*",
      "*/",
      "\\",
      "\n",
      "printf ",
      "%q",
    ],
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 20 }), (parts) => {
      try {
        expect(typeof fill(parts.join(""))).toBe("string");
      } catch (reason) {
        expect(reason).toBeInstanceOf(UsageError);
      }
    }),
  );
});
