import { test } from "vitest";
import { createClient } from "@wfe-containerd/client";
test("x", async () => {
  await using c = createClient({ address: "/tmp/ctd/c.sock", namespace: "t" });
  console.log(await c.version());
  console.log((await c.services.introspection.plugins({})).plugins.length);
  for await (const x of c.services.content.list({})) console.log(x);
  await c.services.containers.get({id:"nope"}).catch((e)=>console.log(e));
  const t=performance.now(); for (let i=0;i<200;i++) await c.version(); console.log((performance.now()-t)/200);
});
