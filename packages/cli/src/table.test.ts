import { expect, test, vi } from "vitest";
import { printRows } from "./table.js";

test("columns line up on a terminal, whatever characters their cells have", async () => {
  const log = vi.spyOn(console, "log").mockReturnValue();
  const rows = [
    { name: "日本", size: 1 },
    { name: "e\u0301", size: 2 },
    { name: "plain", size: 3 },
  ];
  await printRows("table", rows, ["name", "size"]);
  expect(log.mock.calls.flat()).toEqual(["NAME    SIZE", "日本    1", "e\u0301       2", "plain   3"]);
  log.mockRestore();
});
