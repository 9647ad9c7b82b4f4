import { Command } from "commander";
import { expect, test } from "vitest";
import { takeDockerSpelling } from "./docker-spelling.js";

test.each<[string[], object, string[]]>([
  [["--follow=true", "web", "-n=5"], { follow: true, tail: "5", sigProxy: true }, ["web"]],
  [["web", "--follow=0", "--tail=5"], { tail: "5", sigProxy: true }, ["web"]],
  [["--sig-proxy=false", "web"], { sigProxy: false }, ["web"]],
  [["--no-sig-proxy=false", "web"], { sigProxy: true }, ["web"]],
  [["--", "--sig-proxy=false"], { sigProxy: true }, ["--sig-proxy=false"]],
])("%j, as docker takes it", (args, options, operands) => {
  const command = new Command("logs")
    .argument("<step>")
    .option("-f, --follow")
    .option("-n, --tail <lines>")
    .option("--no-sig-proxy")
    .option("--sig-proxy");
  takeDockerSpelling(command, {});
  command.parse(args, { from: "user" });
  expect(command.opts()).toEqual(options);
  expect(command.args).toEqual(operands);
});
