/** How we introduce ourselves to registries. */
export const USER_AGENT = "wfe-containerd";
