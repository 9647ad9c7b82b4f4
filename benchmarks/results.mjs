import { readFile, writeFile } from "node:fs/promises";
import { cpus, release, totalmem } from "node:os";
import { fileURLToPath } from "node:url";

const FILE = fileURLToPath(new URL("RESULTS.md", import.meta.url));
const TITLE = `# Results

Each table is of the last run of its benchmark; \`npm run bench\` writes it. Compare ratios: times depend on the machine, and on what else it does.
`;

/**
 * Prints the tables of a benchmark, and keeps them in RESULTS.md in place of its earlier ones.
 *
 * @param {string} name of the benchmark.
 * @param {readonly { title: string, rows: readonly Record<string, unknown>[] }[]} tables
 * @param {{ daemon: { version: string } }} of
 */
export async function report(name, tables, { daemon }) {
  const [cpu] = cpus();
  const machine = `${new Date().toISOString().slice(0, 10)}; containerd ${daemon.version}, Node ${process.version}, Linux ${release()}; ${cpus().length} cores (${cpu?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB.`;
  console.log(machine);
  for (const { title, rows } of tables) {
    console.log(`\n${title}`);
    console.table(rows);
  }
  const parts = [`## ${name}`, machine, ...tables.flatMap(({ title, rows }) => [title, toMarkdown(rows)])];
  const text = await readFile(FILE, "utf8").catch(() => TITLE);
  const [head = TITLE, ...sections] = text.split(/^(?=## )/m);
  const others = sections.filter((section) => !section.startsWith(`## ${name}\n`));
  const all = [...others, `${parts.join("\n\n")}\n`].map((section) => `${section.trim()}\n`).toSorted();
  await writeFile(FILE, [head.trim(), ...all].join("\n\n").replaceAll(/\n{3,}/g, "\n\n"));
}

function toMarkdown(rows) {
  const columns = Object.keys(rows[0] ?? {});
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [
    line(columns),
    line(columns.map(() => "---")),
    ...rows.map((row) => line(columns.map((column) => row[column] ?? ""))),
  ].join("\n");
}
