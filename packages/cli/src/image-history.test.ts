import type { Descriptor } from "@wfe-containerd/client";
import { expect, test } from "vitest";
import { toHistory } from "./image-history.js";

const layer = (digest: string, size: number): Descriptor => ({ digest, size }) as Descriptor;

test("each step of the build beside the layer that it made, the newest first", () => {
  const history = [
    { created: "2026-01-31T12:00:00Z", created_by: "ADD rootfs" },
    { created_by: "ENV A=1", empty_layer: true },
    { created_by: "RUN make", comment: "built" },
  ];
  expect(toHistory(history, [layer("sha256:a", 1), layer("sha256:b", 2)])).toEqual([
    { created: "", createdBy: "RUN make", size: 2, comment: "built", layer: "sha256:b" },
    { created: "", createdBy: "ENV A=1", size: 0, comment: "", layer: "" },
    { created: "2026-01-31T12:00:00Z", createdBy: "ADD rootfs", size: 1, comment: "", layer: "sha256:a" },
  ]);
});

test.each([[undefined], [null], ["text"], [{}], [[]], [[null, 7, { created_by: 7 }]]])(
  "whatever a config has for its history, %j, all layers are shown",
  (history) => {
    const rows = toHistory(history, [layer("sha256:a", 1), layer("sha256:b", 2)]);
    expect(rows.map((row) => row.layer).filter((each) => each !== "")).toEqual(["sha256:b", "sha256:a"]);
  },
);
