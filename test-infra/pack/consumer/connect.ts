// Connect's types and those of the client can be used in place of one another.

import {
  type CallOptions,
  Code,
  createContextValues,
  createClient as createServiceClient,
  type Interceptor,
  type Client as ServiceClient,
  type Transport,
} from "@connectrpc/connect";
import { createClient, isContainerdError, type Services } from "@wfe-containerd/client";
import { Version } from "@wfe-containerd/proto/services/version";

const interceptor: Interceptor = (next) => async (request) => {
  request.header.set("a", "b");
  return next(request);
};
const client = createClient({ interceptors: [interceptor] });
export const transport: Transport = client.transport;
export const own: Services["version"] = createServiceClient(Version, client.transport);
export const theirs: ServiceClient<typeof Version> = client.services.version;
const options: CallOptions = { headers: { a: "b" }, timeoutMs: 1, contextValues: createContextValues() };
client.services.version.version({}, options).catch((error: unknown) => {
  if (isContainerdError(error) && error.code === Code.NotFound) console.log(error.message);
});
