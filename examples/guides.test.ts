// Runs what the guides in docs/ show. In a guide, a block
//   ```yaml file=NAME     is written to the file NAME, and checked as a step file or a policy;
//   ```console            is run: lines with `$ ` are commands, others their output; … matches anything.
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parsePolicy, parseStep, type StepInput } from "@wfe-containerd/executor";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";

const ROOT = join(import.meta.dirname, "..");
const DOCS = join(ROOT, "docs");
const GUIDES = (await readdir(DOCS)).filter((name) => name.endsWith(".md"));

interface Block {
  readonly language: string;
  readonly file: string | undefined;
  readonly text: string;
}

async function blocksOf(guide: string): Promise<Block[]> {
  const text = await readFile(join(DOCS, guide), "utf8");
  return [...text.matchAll(/^```(\w+)(?: file=(\S+))?\n([\s\S]*?)^```$/gm)].map(
    ([, language = "", file, text = ""]) => ({ language, file, text }),
  );
}

interface Command {
  readonly line: string;
  readonly output: string;
}

/** A line that ends with `\` continues on the next line. */
function commandsOf({ text }: Block): Command[] {
  return text
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [, line = "", output = ""] = /^((?:.*\\\n)*.*)\n([\s\S]*)$/.exec(part) ?? [];
      return { line, output: output.trim() };
    });
}

function toPattern(output: string): RegExp {
  const literal = output.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${literal.replaceAll("…", "[\\s\\S]*")}$`);
}

describe.each(GUIDES)("docs/%s", (guide) => {
  test("its step files and policies are valid", async () => {
    for (const { language, text } of await blocksOf(guide)) {
      if (language !== "yaml") continue;
      const value = parse(text) as StepInput | { image?: string; steps: StepInput[] };
      // The steps of a session have the image that is next to them.
      const { image } = value;
      const steps =
        "steps" in value
          ? value.steps.map((step) => ({ ...(image && { image }), ...step }))
          : "image" in value
            ? [value]
            : undefined;
      if (steps === undefined) expect(() => parsePolicy(value)).not.toThrow();
      else for (const step of steps) expect(() => parseStep(step)).not.toThrow();
    }
  });
});

describe("what the guides print", () => {
  const at = useDaemon();
  let directory: string;

  beforeEach(async () => {
    // Volumes may come from below /srv, which is the same place for every reader of a guide.
    await mkdir("/srv", { recursive: true });
    directory = await mkdtemp("/srv/guide-");
    await mkdir(join(directory, ".bin"));
    const command = `#!/bin/sh\nexec '${process.execPath}' '${join(ROOT, "packages/cli/dist/main.js")}' "$@"\n`;
    await writeFile(join(directory, ".bin/wfe-containerd"), command, { mode: 0o755 });
  });
  afterEach(() => rm(directory, { recursive: true }));

  /** @returns What the command prints, on standard error too. */
  function run(line: string): Promise<string> {
    const child = spawn("sh", ["-c", `exec 2>&1\n${line}\n`], {
      cwd: directory,
      env: {
        ...process.env,
        PATH: `${join(directory, ".bin")}:${process.env["PATH"]}`,
        WFE_CONTAINERD_ADDR: at.daemon.address,
        CONTAINERD_NAMESPACE: at.client.namespace,
        WFE_IO_DIR: at.ioDir,
      },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let printed = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
    });
    return new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", () => resolve(printed.trim()));
    });
  }

  test.each(GUIDES)("docs/%s", async (guide) => {
    for (const block of await blocksOf(guide)) {
      if (block.file !== undefined && block.language !== "js" && block.language !== "ts")
        await writeFile(join(directory, block.file), block.text);
      if (block.language !== "console") continue;
      for (const { line, output } of commandsOf(block))
        expect(await run(line), `$ ${line}`).toMatch(toPattern(output));
    }
  });
});
