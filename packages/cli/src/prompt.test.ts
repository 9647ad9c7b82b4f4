import { PassThrough } from "node:stream";
import { afterEach, expect, test, vi } from "vitest";
import { ask } from "./prompt.js";

afterEach(() => vi.restoreAllMocks());

test("a hidden question comes when the terminal no longer shows what is typed", async () => {
  const calls: string[] = [];
  const stdin = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: (isRaw: boolean) => void calls.push(isRaw ? "raw" : "as before"),
  });
  vi.spyOn(process, "stdin", "get").mockReturnValue(stdin as unknown as typeof process.stdin);
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    calls.push(String(text));
    if (text === "Password: ") setImmediate(() => stdin.write("typed\r"));
    return true;
  });
  expect(await ask("Password: ", "--password-stdin", { hidden: true })).toBe("typed");
  expect(calls).toEqual(["raw", "Password: ", "as before", "\n"]);
});
