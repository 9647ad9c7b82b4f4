export { type CallOptions, call } from "./call.js";
export { type Client, type ClientOptions, createClient } from "./connect.js";
export type { Context, Services } from "./context.js";
export { ContainerdError, type ErrorKind, isContainerdError } from "./error.js";
