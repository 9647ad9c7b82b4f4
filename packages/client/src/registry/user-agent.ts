/** The User-Agent header for registries. */
export const USER_AGENT = "wfe-containerd";
