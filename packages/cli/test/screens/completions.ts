import { expect, test } from "vitest";
import { type Person, prints } from "./person.js";

/** The tab key. `commands.test.ts` has bash. */
export function typeCompletions(person: Person): void {
  test("zsh completes commands, values of flags, and images", async () => {
    await using terminal = await person.open();
    await terminal.call("PS1='[%?]$ ' exec zsh -f");
    const load = "autoload -Uz compinit && compinit -D && . <(wfe-containerd completion zsh)";
    expect(await terminal.call(load)).toEqual(prints(""));

    await terminal.type("wfe-containerd log");
    await terminal.press("Tab");
    await terminal.shows(
      /^logout +-- remove the password for a registry\nlogs +-- print the output of a step$/m,
    );
    await terminal.type("s --t");
    await terminal.press("Tab");
    await terminal.shows("wfe-containerd logs --tail");
    await terminal.press("C-u");
    await terminal.type("wfe-containerd run --pull=");
    await terminal.press("Tab");
    // They have no description.
    const values = await terminal.shows(/--pull=missing/);
    expect(values).toMatch(/^--pull=always +--pull=missing +--pull=never$/m);
    await terminal.press("C-u");
    await terminal.type("wfe-containerd rmi busy");
    await terminal.press("Tab");
    await terminal.shows("wfe-containerd rmi busybox");
  });
}
