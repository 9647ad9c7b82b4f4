import { test } from "vitest";
import { startDaemon } from "@wfe-containerd/client/daemon";
import { createClient } from "@wfe-containerd/client";
test("x", async () => {
  const t = performance.now();
  await using d = await startDaemon({ logLevel: "warn" });
  console.log(d.version, performance.now() - t);
  await using c = createClient({ address: d.address });
  const ps = (await c.services.introspection.plugins({})).plugins;
  console.log(ps.map((p) => `${p.type}.${p.id}${p.initErr ? " ERR " + p.initErr.message : ""}`).join("\n"));
  console.log(await import("node:fs").then((f) => f.readFileSync(d.logPath, "utf8")));
  const s = performance.now(); await d.stop(); console.log("stop", performance.now() - s);
});
