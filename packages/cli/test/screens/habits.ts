import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, test } from "vitest";
import { answer, type Person, prints, shows } from "./person.js";

/** What somebody types who knows docker, and what any terminal is like. */
export function typeHabits(person: Person): void {
  test("keys leave a shell, which goes on; attach returns to it", async () => {
    await using terminal = await person.open();
    const prompt = /^\S+ \$$/m;
    expect(
      await answer(terminal, "wfe-containerd run -it --name shell busybox sh", prompt, "C-p", "C-q"),
    ).toEqual(shows(/\nwfe-containerd: step wfe-\w{20} goes on; attach returns to it$/));
    // What is printed from now on is shown: Enter asks the shell for a prompt.
    await terminal.enter("wfe-containerd attach shell");
    await terminal.press("Enter");
    await terminal.shows(prompt);
    await terminal.enter("exit 5");
    expect(await terminal.ends("exit 5")).toEqual(prints("", 5));
    expect(await terminal.call("wfe-containerd rm shell")).toEqual(prints("shell"));
  });

  test("a step is run, listed and removed with docker's flags", async () => {
    await using terminal = await person.open();
    const script = 'trap "echo usr" USR1; echo one; echo two; while :; do sleep 0.1; done';
    const line = `wfe-containerd run -d --name web -v site:/data busybox sh -c '${script}'`;
    const { screen: id } = await terminal.call(line);
    expect(id).toMatch(/^wfe-\w{20}$/);
    expect(await answer(terminal, "wfe-containerd logs --follow=true web", /^two$/m, "C-c")).toEqual(
      shows(/^one\ntwo\n\^C$/, 130),
    );
    expect(await terminal.call("wfe-containerd kill -s USR1 web")).toEqual(prints("web"));
    expect(await answer(terminal, "wfe-containerd logs -f --tail=1 web", /^usr$/m, "C-c")).toEqual(
      shows(/usr\n\^C$/, 130),
    );
    expect(
      await answer(terminal, "wfe-containerd exec web sh -c 'echo on; sleep 600'", /^on$/m, "C-c"),
    ).toMatchObject({
      screen:
        "on\n^C\nwfe-containerd: stopping the command; a second signal kills it\nwfe-containerd: the command: was stopped",
    });
    expect(await terminal.call("wfe-containerd cp web:/etc/passwd .")).toEqual(prints(""));
    expect(await terminal.call("wfe-containerd cp web:/none .")).toEqual(
      prints("wfe-containerd: cp: in the step: tar: none: No such file or directory", 125),
    );
    expect(await terminal.call("wfe-containerd pause web")).toEqual(prints("web"));
    for (const each of ["exec web ls", "attach web"])
      expect(await terminal.call(`wfe-containerd ${each}`)).toEqual(
        prints("wfe-containerd: step web is paused; let it go on before: wfe-containerd unpause web", 125),
      );
    expect(await terminal.call("wfe-containerd unpause web")).toEqual(prints("web"));

    expect(await terminal.call("wfe-containerd ps -n 1 --no-trunc")).toEqual(shows(new RegExp(`\n${id} `)));
    expect(await terminal.call("wfe-containerd ps -a --format 'table {{.Names}}\\t{{.Status}}'")).toEqual(
      prints("NAMES   STATUS\nweb     running"),
    );
    expect(await terminal.call("wfe-containerd stats --no-stream | cat -v")).toEqual(
      shows(new RegExp(`^ID [^^]*\n${id} [^^]*$`)),
    );
    await terminal.resize({ columns: 80, rows: 30 });
    expect(await terminal.call("wfe-containerd ps")).toEqual(
      shows(new RegExp(`^ID .*\n${id.slice(0, 16)} +web +busybox +running +left +\\S.* ago$`)),
    );
    await terminal.resize({ columns: 40, rows: 30 });
    expect(await terminal.call("wfe-containerd ps")).toEqual(
      shows(new RegExp(`^ID {8}${id.slice(0, 16)}\nSTEP {6}web\nIMAGE {5}busybox\nSTATUS {4}running\n`)),
    );
    expect((await terminal.lines({ joined: true })).filter((each) => each.length > 40)).toEqual([]);
    await terminal.resize({ columns: 100, rows: 30 });

    expect(await terminal.call("wfe-containerd stop -t=0 web")).toEqual(prints("web"));
    expect(await terminal.call("wfe-containerd rm -f web nothing")).toEqual(
      shows(/^wfe-containerd: there is no step "nothing" in (.*\n)+web$/),
    );
    expect(await terminal.call("wfe-containerd volume rm -f site nothing")).toEqual(prints("site\nnothing"));
  });

  test("Ctrl-C ends a pull, and a question", async () => {
    await using terminal = await person.open();
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      const { port } = server.address() as AddressInfo;
      const host = `127.0.0.1:${port}`;
      // The registry never answers.
      const line = `wfe-containerd pull ${host}/app`;
      const connected = once(server, "connection");
      await terminal.enter(line);
      const [socket] = await connected;
      await terminal.press("C-c");
      expect(await terminal.ends(line)).toEqual(prints("^C", 130));
      socket.destroy();
      expect(await answer(terminal, `wfe-containerd login ${host}`, "Username:", "C-c")).toEqual(
        prints("Username:", 130),
      );
    } finally {
      server.close();
    }
  });

  test("mistakes are told in a line, with what to do", async () => {
    await using terminal = await person.open({ columns: 80, rows: 100 });
    const usage = "Usage: wfe-containerd";
    for (const [line, screen] of [
      ["runn", "unknown command 'runn'; did you mean run?\nwfe-containerd --help lists the commands."],
      ["run", `missing required argument 'image'\n${usage} run [options] <image> [command...]`],
      ["ps --al", `unknown option '--al'; did you mean --all?\n${usage} ps [options]`],
      [
        "cp x:/ -",
        "cp: standard output is a terminal; give a path, or redirect the\noutput; example: cp build:/var/log - | tar t",
      ],
    ])
      expect(await terminal.call(`wfe-containerd ${line}`)).toEqual(prints(`wfe-containerd: ${screen}`, 125));
    expect(await terminal.call("wfe-containerd")).toEqual(
      shows(/^Usage: wfe-containerd (.*\n)+.*or its name\.$/),
    );
  });
}
