import type { TransferProgress } from "@wfe-containerd/client";
import { describe, expect, test } from "vitest";
import { Screen } from "../test/screen.js";
import { createProgressView } from "./progress.js";

const SIZE = { rows: 10, columns: 40 };
const fetching: TransferProgress = {
  what: `sha256:${"0".repeat(64)}`,
  state: "fetching",
  offset: 0,
  total: 2048,
  bytesPerSecond: 0,
};
const retry = { reason: "http://localhost:5000/v2/app/blobs/x answers 503", delayMs: 2_500, failures: 1 };
const retrying: TransferProgress = { ...fetching, state: "retrying", retry };
const byTag: TransferProgress = { ...retrying, what: "localhost:5000/app:1", total: 0 };

/** Creates a view that writes to a terminal, or to a file when `isTTY` is false. */
function view(how: "auto" | "plain" | "json" | "retries" | "none", isTTY = false) {
  const screen = new Screen(SIZE);
  let written = "";
  const write = (text: string): boolean => {
    written += text;
    screen.write(text.replaceAll("\n", "\r\n"));
    return true;
  };
  const { show } = createProgressView(how, { write, isTTY, ...SIZE } as unknown as NodeJS.WriteStream);
  return { show, screen, written: () => written };
}

describe("a registry that is asked again", () => {
  const line = `000000000000: asking again in 2.5 s: ${retry.reason}\n`;

  test.each(["plain", "retries"] as const)("is told of in a line each time, with %s", (how) => {
    const { show, written } = view(how);
    for (const each of [byTag, retrying, retrying]) show(each);
    expect(written()).toBe(`localhost:5000/app:1: asking again in 2.5 s: ${retry.reason}\n${line}${line}`);
  });

  test("is all that is told of with retries", () => {
    const { show, written } = view("retries");
    show(fetching);
    show({ ...fetching, state: "done" });
    expect(written()).toBe("");
  });

  test("is told of in JSON, with the reason and the wait", () => {
    const { show, written } = view("json");
    show(retrying);
    expect(JSON.parse(written())).toMatchObject({ state: "retrying", retry });
  });

  test("is not told of with none", () => {
    const { show, written } = view("none");
    show(retrying);
    expect(written()).toBe("");
  });

  test("is told of above the bars, which move on below", () => {
    const { show, screen } = view("auto", true);
    show(fetching);
    show(retrying);
    show({ ...fetching, state: "done", offset: 2048 });
    const text = screen.lines.join("");
    expect(text).toContain(retry.reason);
    expect(screen.lines.filter((each) => each.startsWith("000000000000  "))).toHaveLength(1);
    expect(screen.lines.at(-1)).toMatch(/^0{12} {2}done/);
  });

  test("sends no control sequence of the registry's to the terminal", () => {
    const { show, written } = view("plain");
    show({ ...retrying, retry: { ...retry, reason: "a\x1b[2Jb" } });
    expect(written()).toContain("a\\x1b[2Jb");
  });
});
