import { execFileSync } from "node:child_process";
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const ADDRESS = "github.com/wfe-containerd/wfe-containerd";
const PACKAGES = ["proto", "client", "executor", "cli"];

const manifestOf = async (root: string, name: string) =>
  JSON.parse(await readFile(join(root, "packages", name, "package.json"), "utf8"));

const changelogOf = (root: string, name: string) =>
  readFile(join(root, "packages", name, "CHANGELOG.md"), "utf8");

test.each(PACKAGES)("the package.json of %s has what npm shows and what provenance needs", async (name) => {
  expect(await manifestOf(ROOT, name)).toMatchObject({
    homepage: `https://${ADDRESS}/tree/main/packages/${name}#readme`,
    bugs: { url: `https://${ADDRESS}/issues` },
    repository: { type: "git", url: `git+https://${ADDRESS}.git`, directory: `packages/${name}` },
    keywords: expect.arrayContaining(["containerd"]),
    publishConfig: { access: "public", provenance: true },
    files: expect.arrayContaining(["CHANGELOG.md"]),
  });
});

test.each(PACKAGES)("the newest entry in the changelog of %s is for its version", async (name) => {
  const { version } = await manifestOf(ROOT, name);
  expect((await changelogOf(ROOT, name)).split("\n").slice(0, 3)).toEqual([
    `# @wfe-containerd/${name}`,
    "",
    `## ${version}`,
  ]);
});

describe("in a copy of the repository", () => {
  let copy: string;
  const git = (...args: string[]) => execFileSync("git", args, { cwd: copy, encoding: "utf8" });

  beforeAll(async () => {
    copy = await mkdtemp(join(tmpdir(), "publishing-"));
    // Copied, not cloned: the project may lack its history. .readme-* are directories of another test.
    const isSource = (path: string) =>
      !/\/(node_modules|dist|\.git|\.cache|\.turbo|\.readme-\w+)$/.test(path);
    await cp(ROOT, copy, { recursive: true, filter: isSource });
    git("init", "--quiet");
    git("add", "--all");
  });
  afterAll(() => rm(copy, { recursive: true, force: true }));

  test("the command of RELEASING.md changes the repository's address everywhere", async () => {
    const guide = await readFile(join(ROOT, "RELEASING.md"), "utf8");
    const command = /^git grep .*OWNER\/NAME.*$/m.exec(guide)?.[0] ?? "";
    execFileSync("sh", ["-c", command.replace("OWNER/NAME", "example/moved")], { cwd: copy });

    expect(() => git("grep", "-F", ADDRESS)).toThrow(); // git grep finds nothing: exit code 1
    for (const name of PACKAGES) {
      const { repository, homepage } = await manifestOf(copy, name);
      expect(repository.url).toBe("git+https://github.com/example/moved.git");
      expect(homepage).toBe(`https://github.com/example/moved/tree/main/packages/${name}#readme`);
    }
    // The command changes its own text too, so that it works the next time.
    expect(await readFile(join(copy, "RELEASING.md"), "utf8")).toContain(
      command.replaceAll("wfe-containerd/wfe-containerd", "example/moved"),
    );
  });

  test("a changeset raises the versions of the published packages alone, and writes their changelogs", async () => {
    for (const file of await readdir(join(copy, ".changeset")))
      if (file.endsWith(".md")) await rm(join(copy, ".changeset", file));
    await writeFile(
      join(copy, ".changeset/one.md"),
      '---\n"@wfe-containerd/client": major\n---\n\nA word for users.\n',
    );
    await symlink(join(ROOT, "node_modules"), join(copy, "node_modules"));
    git(
      "-c",
      "user.name=test",
      "-c",
      "user.email=test@example.com",
      "commit",
      "--all",
      "--quiet",
      "--message",
      "all",
    );
    execFileSync(join(copy, "node_modules/.bin/changeset"), ["version"], { cwd: copy });

    const { version } = await manifestOf(copy, "client");
    expect(version).toMatch(/^[1-9]\d*\.0\.0$/);
    // The new entry is above the older ones, which stay as they are.
    const older = (await changelogOf(ROOT, "client")).replace(/^# .*\n/, "");
    expect(await changelogOf(copy, "client")).toBe(
      `# @wfe-containerd/client\n\n## ${version}\n\n### Major Changes\n\n- A word for users.\n${older}`,
    );
    const changed = git("diff", "--name-only")
      .split("\n")
      .filter((file) => file.endsWith("package.json"));
    // The command contains the client; RELEASING.md says that such a changeset also names the command.
    expect(changed).toEqual(["client", "executor"].map((name) => `packages/${name}/package.json`));
  });
});
