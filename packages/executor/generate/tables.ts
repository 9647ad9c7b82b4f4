import type { StepField } from "../src/core/step/declaration.js";
import { toCamelCase } from "../src/core/units/name-case.js";
import { camelNames } from "./camel-names.js";

/** Returns the table of some fields for the README. */
export function fieldTable(fields: Readonly<Record<string, StepField>>): string {
  const rows = Object.entries(fields).map(
    ([name, { summary, details, default: standard = "", policy = [] }]) =>
      `| \`${toCamelCase(name)}\` | ${camelNames(details === undefined ? summary : `${summary}. ${details}`)} | ${camelNames(standard)} | ${policy.map((key) => `\`${key}\``).join(", ")} |`,
  );
  return ["| field | what | default | policy |", "| --- | --- | --- | --- |", ...rows].join("\n");
}

/** Replaces what is between the comments `<!-- NAME -->` and `<!-- /NAME -->` of a page. */
export function withPart(page: string, name: string, part: string): string {
  const [start, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [before, rest] = [page.indexOf(start), page.indexOf(end)];
  if (before === -1 || rest < before) throw new Error(`the page has no ${start} with a ${end} after it`);
  return `${page.slice(0, before + start.length)}\n\n${part}\n\n${page.slice(rest)}`;
}
