import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { startRegistry } from "@wfe-containerd/test-infra/registry";
import { expect, test } from "vitest";
import { COMMANDS } from "../src/commands.js";
import { actUntil } from "./command.js";
import { typeCompletions } from "./screens/completions.js";
import { typeHabits } from "./screens/habits.js";
import { answer, prints, shows, usePerson } from "./screens/person.js";

const at = useDaemon();
const person = usePerson(at);

typeHabits(person);
typeCompletions(person);

test("every command is typed here", async () => {
  const source = await readFile(new URL(import.meta.url), "utf8");
  const typed = new Set(Array.from(source.matchAll(/wfe-containerd ([a-z]+)/g), ([, name]) => name));
  expect(
    COMMANDS.filter(({ name, isHidden }) => isHidden !== true && !typed.has(name)).map(({ name }) => name),
  ).toEqual([]);
});

test("run prints, gives the exit code, and stops at Ctrl-C", async () => {
  await using terminal = await person.open();
  expect(await terminal.call("wfe-containerd run busybox echo hello")).toEqual(prints("hello"));
  expect(await terminal.call("wfe-containerd run busybox sh -c 'exit 7'")).toEqual(prints("", 7));
  const waiting = 'trap "exit 9" TERM; echo on; while :; do sleep 0.1; done';
  const line = `wfe-containerd run --stop-timeout 300 busybox sh -c '${waiting}'`;
  expect(await answer(terminal, line, /^on$/m, "C-c")).toEqual(
    prints(
      "on\n^C\nwfe-containerd: stopping the step; a second signal kills it\nwfe-containerd: step run: was stopped",
      9,
    ),
  );
});

test("run -it is a shell in the container: its prompt, size, Ctrl-C and exit code", async () => {
  await using terminal = await person.open();
  const line = "wfe-containerd run -it busybox sh";
  await terminal.enter(line);
  await terminal.shows(/^\S+ \$$/m);
  // The prompt behind it: what is typed before is shown twice, by the terminal and by the shell.
  await terminal.enter("stty size");
  await terminal.shows(/^30 100\n\S+ \$$/m);
  await terminal.resize({ columns: 60, rows: 20 });
  await terminal.enter('until [ "$(stty size)" = "20 60" ]; do :; done; echo re""sized');
  await terminal.shows(/^resized\n\S+ \$$/m);
  // Ctrl-C only when the program to interrupt has printed something: to the shell's own prompt it is a key.
  await terminal.enter("sh -c 'echo re\"\"ady; exec sleep 1000'");
  await terminal.shows(/^ready$/m);
  await terminal.press("C-c");
  await terminal.shows(/^\^C\n\S+ \$$/m);
  await terminal.enter("echo code $?");
  await terminal.shows(/^code 130\n\S+ \$$/m);
  await terminal.enter("exit 3");
  expect(await terminal.ends("exit 3")).toEqual(prints("", 3));
  // The terminal is as it was: Ctrl-C is a signal, and what is typed is shown.
  expect(await terminal.call("stty -a | grep -c '^isig .* echo '")).toEqual(prints("1"));
});

test("a step that is left is listed, followed, entered, and stopped", async () => {
  await using terminal = await person.open();
  const script = "trap 'echo bye; exit 6' INT; i=0; while :; do i=$((i+1)); echo line $i; sleep 0.2; done";
  await writeFile(join(person.directory, "count.sh"), script);
  expect(await terminal.call('wfe-containerd run -d --name server busybox sh -c "$(cat count.sh)"')).toEqual(
    shows(/^wfe-[0-9a-f]{20}$/),
  );
  const { screen: table } = await terminal.call("wfe-containerd ps");
  expect(table).toMatch(
    /^ID +STEP +IMAGE +STATUS +EXECUTOR +OWNER +CREATED\nwfe-\w{12} +server +busybox +running +left /,
  );
  expect(table.split("\n")).toHaveLength(2);
  expect(await terminal.call("wfe-containerd inspect -f '{{.State.Status}}' server")).toEqual(
    prints("running"),
  );
  // The terminal shows ^C at once. The command may print a line before it gets the signal.
  expect(await answer(terminal, "wfe-containerd logs -f -n 1 server", /^(line \d+\n){3}/m, "C-c")).toEqual(
    shows(/\^C\s*(line \d+\s*)*$/, 130),
  );
  expect(
    await answer(terminal, "wfe-containerd attach --sig-proxy=false server", /^line \d+$/m, "C-c"),
  ).toEqual(shows(/\^C\s*(line \d+\s*)*$/, 130));

  await terminal.enter("wfe-containerd exec -it server sh");
  await terminal.shows(/^\S+ \$$/m);
  await terminal.enter("exit $(stty size | grep -c '30 100')");
  expect(await terminal.ends("exit $(stty size | grep -c '30 100')")).toEqual(prints("", 1));
  expect(await terminal.call("wfe-containerd cp count.sh server:/tmp")).toEqual(prints(""));
  expect(await terminal.call("wfe-containerd exec server ls /tmp")).toEqual(prints("count.sh"));
  expect(await terminal.call("wfe-containerd top server")).toEqual(
    shows(/^USER +PID +PPID +S +TIME +CMD\n(.*\n)*65534 .* sh -c trap /),
  );
  expect(await answer(terminal, "wfe-containerd stats", / server +[\d.]+%/, "C-c")).toEqual(
    shows(/ server +[\d.]+%(.*\n)*\^C$/, 130),
  );
  expect(await terminal.call("wfe-containerd pause server")).toEqual(prints("server"));
  expect(await terminal.call("wfe-containerd ps --format status")).toEqual(prints("paused"));
  expect(await terminal.call("wfe-containerd unpause server")).toEqual(prints("server"));

  // Ctrl-C reaches the step. Another terminal waits for its end.
  await using other = await person.open();
  await other.enter("wfe-containerd wait server");
  expect(await answer(terminal, "wfe-containerd attach server", /^line \d+$/m, "C-c")).toEqual(
    shows(/\^C\s*(line \d+\n)*bye$/, 6),
  );
  expect(await other.ends("wfe-containerd wait server")).toEqual(prints("6"));
  expect(await terminal.call("wfe-containerd ps -a")).toEqual(shows(/ stopped \(6\) /));
  expect(await terminal.call("wfe-containerd logs -n 1 server")).toEqual(prints("bye"));
  expect(await terminal.call("wfe-containerd rm server")).toEqual(prints("server"));
});

test("what removes or kills asks before, and Ctrl-C is no", async () => {
  await using terminal = await person.open();
  const running = "run -d -v data:/data busybox sleep 999";
  await terminal.call(`wfe-containerd ${running} && wfe-containerd ${running} && wfe-containerd ${running}`);
  const [a = "", b = "", c = ""] = (await terminal.call("wfe-containerd ps -q")).screen.split("\n");
  expect(await answer(terminal, `wfe-containerd rm ${a}`, "Continue? [y/N]", "n", "Enter")).toEqual(
    prints(`This kills ${a} (run). Continue? [y/N] n\nwfe-containerd: nothing is removed`),
  );
  expect(await answer(terminal, `wfe-containerd rm ${a}`, "Continue? [y/N]", "C-c")).toEqual(
    prints(`This kills ${a} (run). Continue? [y/N]`, 130),
  );
  expect(
    await answer(terminal, `wfe-containerd rm ${a}`, "Continue? [y/N]", "x", "BSpace", "y", "Enter"),
  ).toEqual(prints(`This kills ${a} (run). Continue? [y/N] y\n${a}`));
  expect(await terminal.call(`wfe-containerd kill ${b}`)).toEqual(prints(b));
  // rm would ask if it still ran.
  expect(await terminal.call(`wfe-containerd wait ${b}`)).toEqual(prints("137"));
  expect(await terminal.call(`wfe-containerd stop -t 0 ${c}`)).toEqual(prints(c));
  expect(await terminal.call(`wfe-containerd rm ${b} ${c}`)).toEqual(prints(`${b}\n${c}`));

  expect(await terminal.call("wfe-containerd volume ls")).toEqual(shows(/^NAME +KIND .*\ndata +volume /));
  expect(await answer(terminal, "wfe-containerd volume prune --all", "[y/N]", "y", "Enter")).toEqual(
    prints("This removes data. Continue? [y/N] y\ndata"),
  );
  expect(await terminal.call("wfe-containerd recover")).toEqual(
    prints("wfe-containerd: nothing to recover: each step has a living process, or was left"),
  );
  // What nobody needs is nobody's: gc does not ask.
  const { screen: gone } = await terminal.call("wfe-containerd run -d --rm --name gone busybox true");
  await expect.poll(async () => (await at.client.tasks.get(gone)).status).toBe("stopped");
  expect(await terminal.call("wfe-containerd gc")).toEqual(shows(/^KIND +ID +REASON\n(.*\n)*.*wfe-/));
});

test("images go to a registry and back", async () => {
  const password = "typed-password";
  await using registry = await startRegistry({ password: { username: "me", password } });
  const { host } = registry;
  await using terminal = await person.open();
  const line = `wfe-containerd login ${host}`;
  await terminal.enter(line);
  await terminal.shows("Username:");
  await terminal.type("me");
  await terminal.press("Enter");
  await terminal.shows("Password:");
  await terminal.type(password);
  await terminal.press("Enter");
  // Where the password is stored, docker warns as well.
  expect(await terminal.ends(line)).toEqual(
    shows(new RegExp(`^Username: me\nPassword:\n(?:(?!${password}).|\n)*logged in at ${host} as me`)),
  );
  const name = `${host}/team/busybox:1`;
  expect(await terminal.call(`wfe-containerd tag busybox ${name}`)).toEqual(prints(name));
  expect(await terminal.call(`wfe-containerd push ${name}`)).toEqual(shows(/ done /));
  expect(await terminal.call("wfe-containerd images")).toEqual(
    shows(new RegExp(`^NAME +DIGEST +PACKED +UNPACKED +CREATED\n${host}/team/busybox:1 .*\nbusybox `)),
  );
  const { digest } = (await at.client.images.get(name)).target;
  expect(await terminal.call("wfe-containerd images -q --digests")).toEqual(prints(digest.slice(7, 19)));
  expect(await terminal.call("wfe-containerd history busybox")).toEqual(shows(/^CREATED +CREATED BY +SIZE/));
  expect(await terminal.call(`wfe-containerd rmi ${name}`)).toEqual(prints(name));
  expect(await terminal.call(`wfe-containerd pull ${name}`)).toEqual(shows(/^NAME +DIGEST\n127\.0\.0\.1:/m));
  expect(await terminal.call(`wfe-containerd pull -q ${name} | cat`)).toEqual(prints(name));
  expect(await terminal.call(`wfe-containerd save -o image.tar ${name}`)).toEqual(prints(""));
  expect(await terminal.call(`wfe-containerd export layout.tar ${name}`)).toEqual(prints(""));
  expect(await answer(terminal, "wfe-containerd prune", "[y/N]", "y", "Enter")).toEqual(
    shows(/^This removes .*busybox.* Continue\? \[y\/N\] y\n/),
  );
  expect(await terminal.call("wfe-containerd load -i image.tar")).toEqual(prints(`Loaded image: ${name}`));
  expect(await terminal.call("wfe-containerd import layout.tar")).toEqual(shows(/^NAME +DIGEST\n/));
  expect(await terminal.call("wfe-containerd save busybox")).toEqual(
    prints("wfe-containerd: standard output is a terminal; give a file, or redirect the output", 125),
  );
  expect(await terminal.call(`wfe-containerd logout ${host}`)).toEqual(shows(/^logged out/));
  await terminal.call(`wfe-containerd tag ${name} busybox && wfe-containerd rmi ${name}`);
});

test("the daemon is looked at, and a step file is run", async () => {
  await using terminal = await person.open();
  await using other = await person.open();
  await other.enter("wfe-containerd events --filter type=container");
  const { containers } = at.client;
  const probe = { id: "probe", image: "", spec: {}, snapshotKey: "", snapshotter: "" };
  await actUntil(other.shows("create probe"), async () => {
    await containers.create(probe);
    await containers.delete(probe.id);
  });
  expect(await terminal.call("wfe-containerd version")).toEqual(
    shows(/^wfe-containerd \d.*\ncontainerd \d.* at unix:/),
  );
  expect(await terminal.call("wfe-containerd doctor --no-step")).toEqual(shows(/^ok +wfe-containerd: /));
  const steps = [
    { name: "build", image: "busybox", run: "echo built" },
    { name: "test", image: "busybox", run: "echo tested; exit 4" },
  ];
  await writeFile(join(person.directory, "steps.yaml"), JSON.stringify({ steps }));
  expect(await terminal.call("wfe-containerd step steps.yaml")).toEqual(
    shows(/build(.*\n)*built\n(.*\n)*tested\n(.*\n)*.*test.*exit code 4/, 4),
  );
  await other.shows(/container +start|start/);
  await other.press("C-c");
  expect(await other.ends("wfe-containerd events --filter type=container")).toEqual(shows(/\^C$/, 130));
  expect(await terminal.call("wfe-containerd schema | head -n 1")).toEqual(prints("{"));
  expect(await terminal.call("wfe-containerd completion bash | head -n 1")).toEqual(
    prints("# Completion of wfe-containerd for bash."),
  );
  expect(await answer(terminal, "wfe-containerd daemon", /containerd .* runs in /, "C-c")).toEqual(
    // A newer containerd warns of its old configuration before.
    shows(/^unix:.*\ncontainerd .* runs in (.*\n)*\^C/m),
  );
});

test.each([80, 40])("in %i columns, the help fits", async (columns) => {
  await using terminal = await person.open({ columns, rows: 300 });
  for (const name of ["", "exec", "run"]) {
    const { screen } = await terminal.call(`wfe-containerd ${name} --help`);
    expect(screen, name).toMatch(/^Usage: wfe-containerd/);
    const broken = (await terminal.lines({ joined: true })).filter((line) => line.length > columns);
    // Only an example may go on in the next line, so that it can be copied, and a word that is longer.
    expect(
      broken.filter((line) => !/^ {2}\S/.test(line) && /\S \S/.test(line)),
      name,
    ).toEqual([]);
  }
});
